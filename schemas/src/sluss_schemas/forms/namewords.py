"""The small word lists of the name check: what is likely a name, what follows a cue, and what only looks like one.

They are no register of names: a few common ones of the languages on the square, so that a name without a surname is
seen too.
A list that grew would raise more false alarms than it finds names; what matters is that the author is asked.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GIVEN: Final = _words(
    """
    adam ahmed alexander alice ali amina amir anders andreas anna annika anton astrid axel birgitta carl carina
    christer cecilia daniel david elin elias elisabeth emil emma erik ester eva fatima filip fredrik gunilla gustav
    hanna hannah hassan helena henrik hussein ibrahim ida ingrid isak jacob jakob james jan jennifer jenny jessica
    joakim johan johanna john johnny jonas josef julia kalle karin karl karolina katarina kevin kristina lars lena
    leila lennart linda linn lisa louise magnus malin margareta maria marie markus martin mats mattias maryam michael
    mikael mohamed mohammed monica monika mustafa nadia nicklas niklas nils noah oliver olivia olle omar oskar oscar
    patrik per peter petra pia pontus rickard rikard robert robin samira samuel sara sarah sebastian simon sofia
    stefan susanne sven thomas tobias tomas tommy ulla ulrika victor viktor wilma yasmin yusuf zahra
    """
)
"""Given names that are hardly ever anything else when they begin with a capital."""

SURNAME_ENDINGS: Final = (
    "sson",
    "son",
    "dotter",
    "berg",
    "ström",
    "strom",
    "lund",
    "gren",
    "qvist",
    "kvist",
    "quist",
    "blad",
    "stedt",
    "ović",
    "ovic",
    "ić",
    "ski",
    "zadeh",
    "oğlu",
)
"""How surnames end; a capitalised word before one of them is a name also at the beginning of a sentence."""

CUES: Final = (
    "heter",
    "hette",
    "kallas",
    "kallad",
    "kallar sig",
    "vid namn",
    "namn:",
    "namn",
    "name:",
    "herr",
    "fru",
    "brodern",
    "brorsan",
    "systern",
    "mamman",
    "pappan",
    "flickvännen",
    "pojkvännen",
    "kompisen",
    "klienten",
    "brukaren",
    "patienten",
    "named",
    "called",
    "called himself",
    "called herself",
    "alias",
    "mr",
    "mrs",
    "ms",
    "nicknamed",
    "client",
    "patient",
    "girlfriend",
    "boyfriend",
    "brother",
    "sister",
)
"""After these words a capitalised word is somebody."""

NO_NAME: Final = _words(
    """
    agency april augusti august bland bostad both central centrala city county dagen december den det detta de
    district east eastern februari february first five four friday fredag galleria grand gamla great half health
    hela i januari january juli july juni june kommun kommunen kriminalvården left lilla line lördag maj march mars
    may metro monday municipal municipality måndag narkotika new nedre night no norra north november nya october
    odd oktober old one onsdag other otherwise place police polis polisen previous red region right riksdagen röda
    saturday second september short six social socialtjänsten social-services some south southern spice stationen
    stockholm stora sunday svarta swedish södra söndag the then there these third this thursday tisdag torsdag town
    tramadol tre tuesday two two-three tunnelbanan under upper ungdomar väktare västra västerort vården wednesday west
    white östra övre en ett två fyra fem sex någon några man män kvinna kvinnor pojke pojkar flicka flickor person
    personer men woman women boy boys girl girls people guard guards staff shop police officer okänd unknown
    göteborg malmö uppsala sverige sweden europa europe
    på vid utanför bakom över efter innan framför bredvid mellan från till hos mot med utan kring runt längs genom
    strax igår idag senare sedan när då där här nu vi jag han hon hen man grov misshandel personrån polisområde norr
    at in on near behind outside after before by from to with when now later today yesterday he she they we it
    heroin kokain cannabis amfetamin cocaine naloxon naloxone apoteket
    backe kulle kurva nord strand syd villastad väsby ängar öst öster
    """
)
"""Words that begin with a capital in texts and are no names of people."""

PLACE_ENDINGS: Final = (
    "torget",
    "torg",
    "gatan",
    "vägen",
    "parken",
    "park",
    "plan",
    "platsen",
    "plats",
    "stationen",
    "station",
    "centrum",
    "skolan",
    "kyrkan",
    "huset",
    "bron",
    "backen",
    "gränd",
    "hamnen",
    "sjukhuset",
    "akuten",
    "hotellet",
    "hallen",
    "garaget",
    "kiosken",
    "gallerian",
    "stan",
    "kommun",
    "mottagningen",
    "byrån",
    "verket",
    "square",
    "street",
    "road",
    "avenue",
    "bridge",
    "mall",
    "centre",
    "center",
    "market",
    "church",
    "school",
    "hospital",
    "hall",
    "library",
    "court",
    "gate",
    "lane",
    "services",
    "hotel",
    "korset",
    "cross",
)
"""How places and houses end; what ends so is no surname."""

STREETS: Final = (
    "gata",
    "gatan",
    "gränd",
    "park",
    "parken",
    "plats",
    "station",
    "stig",
    "torg",
    "torget",
    "väg",
    "vägen",
)
"""What stands after a name that a street or square is called by."""

ROADS: Final = ("länsväg", "riksväg", "europaväg", "motorväg", "busslinje")
"""Roads that have a number and no houses."""

PLURALS: Final = ("personer", "ungdomar", "män", "kvinnor", "pojkar", "flickor", "st", "gånger", "people", "men")
"""What is counted after a street, so that the number before it is no house number."""

NO_PLATE: Final = frozenset({"OSL", "LSU", "BRB", "PBL", "SFS", "SOL", "SOU", "RPS", "DNR", "RUM", "LOK", "LSS", "BUS"})
"""Three capitals before a number that are a statute, a room or a line of traffic."""
