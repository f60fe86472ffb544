"""Single values that the protocol derives: keys, digests, contexts, padding, ciphertexts, messages, codes."""

from __future__ import annotations

from typing import Any, Final

from tests.vectors import world
from tests.vectors.second import code as code_text
from tests.vectors.second import custody, wire
from tests.vectors.second import primitives as p
from tests.vectors.second import report as r
from tests.vectors.second.report import Group
from tests.vectors.second.stream import Stream

_draw: Final = Stream("values").draw
LENGTHS: Final = (0, 1, 251, 252, 253, 508, 509, 16_379, 16_380, 16_381, 17_000, 40_000, 100_000, 1_000_000)
PLAINTEXTS: Final = (0, 1, 252, 16_384 - 4, 16_384, 40_000)
SECRET: Final = _draw("secret")
DEVICE_SEED: Final = _draw("device kem")
AGENCY, AUDIENCE, DEVICE = _draw("agency", 16), _draw("audience", 16), _draw("device", 16)


def padding() -> list[dict[str, int]]:
    return [{"length": length, "size": p.padded_size(length)} for length in LENGTHS]


def keys() -> dict[str, str]:
    group = Group(secret=SECRET)
    return {
        "secret": SECRET.hex(),
        "kem_seed": group.kem_seed.hex(),
        "kem_public": group.kem_public.hex(),
        "kem_kid": p.kid(group.kem_public).hex(),
        "sign_seed": group.sign_seed.hex(),
        "sign_public": group.sign_public.hex(),
        "sign_kid": p.kid(group.sign_public).hex(),
    }


def epoch_info(label: bytes, agency: bytes, audience: bytes, epoch: int, device: bytes) -> bytes:
    return label + agency + audience + epoch.to_bytes(4, "big") + device


def epoch_wraps() -> dict[str, Any]:
    """Return wraps of one epoch for one device: two that open, and some that were made for something else."""
    group, public = Group(secret=SECRET), p.kem_public(DEVICE_SEED)

    def sealed(secret: bytes, *info: Any) -> str:  # noqa: ANN401  # the parts of the context
        return p.hpke_seal(public, epoch_info(*info), secret, _draw("wrap", 64)).hex()

    whole, alone = b"sluss/epoch", b"sluss/group"
    bad = {
        "another_form": sealed(SECRET, alone, AGENCY, AUDIENCE, 1, DEVICE),
        "another_agency": sealed(SECRET, whole, bytes(16), AUDIENCE, 1, DEVICE),
        "another_audience": sealed(SECRET, whole, AGENCY, bytes(16), 1, DEVICE),
        "another_epoch": sealed(SECRET, whole, AGENCY, AUDIENCE, 2, DEVICE),
        "another_device": sealed(SECRET, whole, AGENCY, AUDIENCE, 1, bytes(16)),
        "short_secret": sealed(SECRET[:31], whole, AGENCY, AUDIENCE, 1, DEVICE),
    }
    return {
        "agency": AGENCY.hex(),
        "audience": AUDIENCE.hex(),
        "epoch": 1,
        "device": DEVICE.hex(),
        "device_kem_seed": DEVICE_SEED.hex(),
        "whole": sealed(SECRET, whole, AGENCY, AUDIENCE, 1, DEVICE),
        "group": sealed(group.sign_seed, alone, AGENCY, AUDIENCE, 1, DEVICE),
        "bad": bad,
    }


def splits() -> list[dict[str, Any]]:
    """Return secrets with the pads that they are split with, the three shares, and their digests."""
    pads = tuple(_draw(f"pad {pair}") for pair in PAIRS)
    found = []
    for secret, three in ((SECRET, pads), (bytes(32), pads), (pads[0], (bytes(32), b"\xff" * 32, pads[0]))):
        shares = custody.split(secret, *three)
        found.append(
            {
                "secret": secret.hex(),
                "pads": [pad.hex() for pad in three],
                "shares": [share.hex() for share in shares],
                "digests": [p.sha256(share).hex() for share in shares],
            }
        )
    return found


PAIRS: Final = ((0, 1), (0, 2), (1, 2))
SHARES: Final = custody.split(SECRET, *(_draw(f"pad {pair}") for pair in PAIRS))
CUSTODIANS: Final = tuple(_draw(f"custodian {number}", 16) for number in range(3))


def shares() -> dict[str, Any]:
    """Return a custodian's share, sealed to their device and to one that recovers, and some sealed for another use."""
    public, custodian = p.kem_public(DEVICE_SEED), CUSTODIANS[1]

    def sealed(share: bytes, *info: Any) -> str:  # noqa: ANN401  # the parts of the context
        return p.hpke_seal(public, custody.share_info(*info), share, _draw("share seal", 64)).hex()

    def document(device: bytes) -> list[Any]:
        seal = bytes.fromhex(sealed(SHARES[1], AGENCY, AUDIENCE, 1, custodian, device))
        return [AUDIENCE, 1, custodian, device, p.sha256(SHARES[1]), seal]

    bad = {
        "another_agency": sealed(SHARES[1], bytes(16), AUDIENCE, 1, custodian, DEVICE),
        "another_audience": sealed(SHARES[1], AGENCY, bytes(16), 1, custodian, DEVICE),
        "another_epoch": sealed(SHARES[1], AGENCY, AUDIENCE, 2, custodian, DEVICE),
        "another_custodian": sealed(SHARES[1], AGENCY, AUDIENCE, 1, CUSTODIANS[0], DEVICE),
        "another_device": sealed(SHARES[1], AGENCY, AUDIENCE, 1, custodian, custodian),
        "an_epochs_wrap": p.hpke_seal(
            public, epoch_info(b"sluss/epoch", AGENCY, AUDIENCE, 1, DEVICE), SHARES[1], _draw("share seal", 64)
        ).hex(),
    }
    return {
        "agency": AGENCY.hex(),
        "audience": AUDIENCE.hex(),
        "epoch": 1,
        "custodian": custodian.hex(),
        "device": DEVICE.hex(),
        "device_kem_seed": DEVICE_SEED.hex(),
        "share": SHARES[1].hex(),
        "to_custodian": wire.write(document(custodian)).hex(),
        "to_device": wire.write(document(DEVICE)).hex(),
        "bad": bad,
    }


NAMES: Final[list[tuple[bytes, str]]] = [(_draw("person", 16), "Cecilia Öberg"), (AGENCY, "Bo")]


def rosters() -> dict[str, Any]:
    """Return a roster that is sealed to two keys, and some with one thing wrong."""
    count_key, content_key, salt = _draw("count key"), _draw("roster key"), _draw("roster salt", 24)
    group = Group(secret=SECRET)
    keys_ = {group.kem_public: _draw("roster seal 0", 64), p.kem_public(DEVICE_SEED): _draw("roster seal 1", 64)}
    said = [1, count_key, NAMES]

    def whole(agency: bytes = AGENCY, content: list[Any] = said) -> list[Any]:
        return custody.seal_roster(agency, content, keys_, content_key, salt)[0]

    array = whole()
    kids = [p.kid(public) for public in keys_]
    changed = {
        "another_agency": whole(agency=bytes(16)),
        "seals_exchanged": [1, [[kids[0], array[1][1][1]], [kids[1], array[1][0][1]]], array[2]],
        "content_of_another": [1, array[1], whole(content=[1, count_key, NAMES[:1]])[2]],
        "content_flipped": [1, array[1], array[2][:-1] + bytes([array[2][-1] ^ 1])],
    }
    return {
        "agency": AGENCY.hex(),
        "sealed": wire.write(array).hex(),
        "digest": custody.seal_roster(AGENCY, said, keys_, content_key, salt)[1].hex(),
        "kem_seeds": [group.kem_seed.hex(), DEVICE_SEED.hex()],
        "count_key": count_key.hex(),
        "names": [[person.hex(), name] for person, name in NAMES],
        "bad": {name: wire.write(one).hex() for name, one in changed.items()},
    }


def proposals() -> dict[str, str]:
    """Return an epoch's and a split's proposal with the signature of their maker."""
    seed, group, wraps = _draw("maker"), Group(secret=SECRET), epoch_wraps()
    maker = p.kid(p.sign_public(seed))
    wrapped: list[list[Any]] = [
        [DEVICE, False, bytes.fromhex(wraps["group"])],
        [DEVICE, True, bytes.fromhex(wraps["whole"])],
    ]
    sealed = [
        [AUDIENCE, 1, one, one, p.sha256(share), p.hpke_seal(
            p.kem_public(DEVICE_SEED), custody.share_info(AGENCY, AUDIENCE, 1, one, one), share, _draw("split", 64)
        )]
        for one, share in zip(CUSTODIANS, SHARES, strict=True)
    ]  # fmt: skip
    epoch = custody.proposed_epoch([AUDIENCE, 2, 2, group.kem_public, group.sign_public, wrapped, maker], seed)
    split = custody.proposed_split([AUDIENCE, 1, sealed, maker], seed)
    return {"public": p.sign_public(seed).hex(), "epoch": wire.write(epoch).hex(), "split": wire.write(split).hex()}


def hpke() -> list[dict[str, str]]:
    """Return messages to one X-Wing key, with the randomness that they were made from."""
    found = []
    for number, (info, plaintext) in enumerate(((b"", b"x"), (b"sluss/seal", bytes(34)), (b"info" * 50, b"m" * 300))):
        randomness = _draw(f"hpke {number}", 64)
        sealed = p.hpke_seal(p.kem_public(DEVICE_SEED), info, plaintext, randomness)
        found.append(
            {
                "seed": DEVICE_SEED.hex(),
                "randomness": randomness.hex(),
                "info": info.hex(),
                "plaintext": plaintext.hex(),
                "sealed": sealed.hex(),
            }
        )
    return found


def section_parts(length: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return key, context, plaintext and salt of a section with so many bytes."""
    context = r.section_context(_draw("report", 16), _draw("author", 16), 3, 4)
    return _draw("section key"), context, (b"sluss" * (length // 5 + 1))[:length], _draw(f"salt {length}", 24)


def section(length: int) -> bytes:
    key, context, plaintext, salt = section_parts(length)
    return p.encrypt(key, context, p.pad(plaintext), salt)


def sections() -> list[dict[str, Any]]:
    """Return sections; of long ones the digest alone, because the rule by which they are made is here."""
    found = []
    for length in PLAINTEXTS:
        key, context, plaintext, salt = section_parts(length)
        whole = section(length)
        short = {"section": whole.hex()} if len(whole) <= 512 else {}
        found.append(
            {
                "key": key.hex(),
                "context": context.hex(),
                "salt": salt.hex(),
                "plaintext": "sluss, repeated, cut to length",
                "length": len(plaintext),
                "size": len(whole),
                "digest": p.sha256(whole).hex(),
                **short,
            }
        )
    return found


def case_records() -> dict[str, Any]:
    """Return a case record that is sealed to an epoch and to a device, and some that open for neither."""
    record, key, salt = _draw("case", 16), _draw("case key"), _draw("case salt", 24)
    group, text = Group(secret=SECRET), wire.write(["The person said so by telephone.", 3])
    publics = (group.kem_public, p.kem_public(DEVICE_SEED))

    def document(named: bytes = record, sealed: bytes = record, body: bytes = record) -> bytes:
        seals = [
            [
                p.kid(public),
                p.hpke_seal(public, b"sluss/record/seal" + sealed + p.kid(public), key, _draw("case seal", 64)),
            ]
            for public in publics
        ]
        body_ = p.encrypt(key, b"sluss/record/body" + body, p.pad(text), salt)
        head = ["case", named, "consent", DEVICE, world.NOW, _draw("D"), None, "given", world.NOW + 3600]
        terms = wire.write([[AGENCY], [4, 6], world.NOW])
        return wire.write([*head, terms, sorted(seals), body_])

    return {
        "record": document().hex(),
        "kem_seeds": [group.kem_seed.hex(), DEVICE_SEED.hex()],
        "plaintext": text.hex(),
        "bad": {
            "seals_of_another": document(sealed=bytes(16)).hex(),
            "body_of_another": document(body=bytes(16)).hex(),
            "another_name": document(named=bytes(16)).hex(),
        },
    }


def statements() -> list[dict[str, Any]]:
    """Return a statement of each kind: its terms in the clear record, its subject's name, and its signature."""
    objective, seed = _draw("objective", 16), _draw("statement seed")
    scene = ["scene", 3, [1, 2], 2, 20_000, 2, 20_400, [1, 4], [[3, "Kaféet"], [6, "Spår 2"]], "Norr", "Sandvik"]
    made = {
        "scene": ([*scene, 2026, 1965, None, True], b"\x00\x03"),
        "objective": (
            [
                "objective",
                objective,
                ["count", 13, "category", 4],
                3,
                "at_least",
                30,
                20_400,
                20_500,
                "Fler samtal",
                False,
            ],
            objective,
        ),
        "staffing": (["staffing", 3, 20_402, 120], b"\x4f\xb2\x00\x03"),
        "stock": (["stock", "naloxone", 40, 20_402, None], b"naloxone"),
    }
    found = []
    for code, (terms, subject) in made.items():
        named = ["case", _draw(f"statement {code}", 16), "statement", DEVICE, world.NOW, None, None, code, None]
        record = wire.write([*named, wire.write(terms), [], b""])
        signature = p.sign(seed, b"sluss/record" + p.sha256(record))
        found.append(
            {
                "name": code,
                "public": p.sign_public(seed).hex(),
                "record": record.hex(),
                "subject": subject.hex(),
                "signature": signature.hex(),
            }
        )
    return found


def messages() -> dict[str, Any]:
    """Return what is hashed, committed to and signed, by name: the inputs and the output."""
    digest, salt, secret = _draw("D"), _draw("salt"), _draw("A")
    key = _draw("signing seed")
    invite, code_secret = _draw("invite", 16), _draw("code secret", 16)
    enrolment = b"sluss/enrol" + AGENCY + invite + p.sign_public(key) + p.kem_public(DEVICE_SEED)
    receipt = wire.write([1, digest, "created", _draw("instance", 16), world.NOW])
    named = [_draw("record", 16), digest, DEVICE, world.NOW]
    open_, countersign = wire.write(["open", *named, None, b"reason"]), wire.write(["countersign", *named])
    grant = [
        1,
        invite,
        digest,
        [4],
        [DEVICE],
        "L09",
        bytes(32),
        [["balanced", True]],
        bytes(32),
        world.NOW,
        world.NOW + 9,
    ]
    grant += [bytes(32), None, []]
    entries = [wire.write([1, number, bytes(32), 15, [digest], world.NOW]) for number in range(2)]
    heads = [(_draw("agency b", 16), 7, _draw("head b")), (_draw("agency a", 16), 2**40, _draw("head a"))]
    return {
        "D": {"manifest": receipt.hex(), "out": r.digest_of(receipt).hex()},
        "commitment": {"secret": secret.hex(), "bitmap": 0x3415, "out": r.commitment(secret, 0x3415).hex()},
        "tier": {"salt": salt.hex(), "tier": wire.write([1]).hex(), "out": p.sha256(salt, wire.write([1])).hex()},
        "author_ref": {"salt": salt.hex(), "device": DEVICE.hex(), "out": p.mac(salt, DEVICE)[:16].hex()},
        "contributor": {
            "count_key": secret.hex(),
            "person": AGENCY.hex(),
            "week": "2026-07",
            "out": p.mac(secret, AGENCY + b"2026-07")[:8].hex(),
        },
        "directories": {
            "heads": [[agency.hex(), seq, hash_.hex()] for agency, seq, hash_ in heads],
            "out": r.directories_digest(tuple(heads)).hex(),
        },
        "enrolment": {
            "partnership": AGENCY.hex(),
            "invite": invite.hex(),
            "sign_seed": key.hex(),
            "kem_seed": DEVICE_SEED.hex(),
            "secret": code_secret.hex(),
            "signature": p.sign(key, enrolment).hex(),
            "mac": p.mac(code_secret, enrolment).hex(),
        },
        "founding": {
            "secret": code_secret.hex(),
            "entries": [entry.hex() for entry in entries],
            "out": p.mac(code_secret, p.sha256(*entries)).hex(),
        },
        "receipt": {
            "public": p.sign_public(key).hex(),
            "receipt": receipt.hex(),
            "out": p.sign(key, b"sluss/receipt" + receipt).hex(),
        },
        "records": [
            {
                "public": p.sign_public(key).hex(),
                "record": record.hex(),
                "out": p.sign(key, b"sluss/record" + p.sha256(record)).hex(),
            }
            for record in (open_, countersign)
        ],
        "reading": {
            "public": p.sign_public(key).hex(),
            "read": wire.write([_draw("read", 16), DEVICE, digest, 0x0415, world.NOW]).hex(),
            "out": p.sign(
                key, b"sluss/read" + wire.write([_draw("read", 16), DEVICE, digest, 0x0415, world.NOW])
            ).hex(),
        },
        "approval": {
            "public": p.sign_public(key).hex(),
            "grant": wire.write([*grant, [[DEVICE, bytes(64)]]]).hex(),
            "out": p.sign(key, b"sluss/approval" + p.sha256(wire.write([*grant, []]))).hex(),
        },
        "wrap": {
            "secret": secret.hex(),
            "digest": digest.hex(),
            "slot": 13,
            "grant": invite.hex(),
            "key": salt.hex(),
            "out": p.wrap(secret, b"sluss/wrap" + digest + b"\x0d" + invite, salt).hex(),
        },
    }


_SERVER: Final = "https://sluss.example"
COLLEAGUE: Final = [_SERVER, AGENCY, AUDIENCE, DEVICE, _draw("own agency", 16), _draw("root"), None]
FOUNDING: Final = [_SERVER, AGENCY, AUDIENCE, DEVICE, None, None, ["security", "SEC", True, _draw("checkpoint")]]


def codes() -> dict[str, Any]:
    """Return codes that can be read, however they are typed, and codes that cannot."""
    colleague, founding = code_text.write_code(COLLEAGUE), code_text.write_code(FOUNDING)
    parts = colleague.split("-")
    other = "A" if colleague[20] != "A" else "B"
    bad = {
        "damaged": colleague[:20] + other + colleague[21:],
        "group_missing": "-".join([*parts[:3], *parts[4:]]),
        "end_missing": colleague[:-3],
        "groups_exchanged": "-".join([parts[0], parts[2], parts[1], *parts[3:]]),
        "no_code_letter": colleague[:20] + "1" + colleague[21:],
        "empty": "",
        "prefix_only": "SLUSS1",
        "wrong_prefix": code_text.write_code(COLLEAGUE, "SLUSS2"),
        "without_prefix": colleague.removeprefix("SLUSS1-"),
        "another_version": code_text.write_code([*COLLEAGUE, 0]),
        "short_secret": code_text.write_code([*COLLEAGUE[:3], bytes(15), *COLLEAGUE[4:]]),
        "not_canonical": code_text.write_code([wire.Raw(b"\xd9\x15" + _SERVER.encode()), *COLLEAGUE[1:]]),
    }
    return {
        "good": [
            {"text": colleague, "array": wire.write(COLLEAGUE).hex()},
            {"text": founding, "array": wire.write(FOUNDING).hex()},
            {"text": colleague.lower().replace("-", " "), "array": wire.write(COLLEAGUE).hex()},
            {"text": colleague.replace("-", "\n"), "array": wire.write(COLLEAGUE).hex()},
        ],
        "bad": [{"name": name, "text": text, "code": "damaged_code"} for name, text in bad.items()],
    }
