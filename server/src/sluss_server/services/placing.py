"""Which feeds a device has, as the directory says now.

Source: docs/protocol.md section 6.

> INVARIANT: a device has the feeds of the audiences that it is a member of, at the scenes that its person is assigned
> to, and its own; scene and assignment are narrower than any key, and only the server enforces them.
> What is older than the device's history in an audience is not delivered either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_schemas.ids import Kid
from sluss_server.services.caller import Caller
from sluss_server.services.directories import View
from sluss_server.storage.feeds import audience_feed, device_feed

_SCENE_END: Final = b"\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Feeds:
    """The feeds of one device.

    Attributes:
        own: the device's own feed.
        audiences: each audience with the scenes of its feeds: None for all, empty for no scene's.
        supervises: the audience of the own agency's supervisors, if the device is a member.
        since: the first epoch of each audience that the device is entitled to.

    """

    own: bytes
    audiences: dict[bytes, frozenset[int] | None]
    supervises: bytes | None
    since: dict[bytes, int]

    def has(self, feed: bytes) -> bool:
        """Tell whether a feed is among them."""
        if feed == self.own:
            return True
        audience, scene = feed[:16], feed[16:]
        if audience not in self.audiences or len(scene) not in {0, 2} or len(feed) < len(audience):
            return False
        scenes = self.audiences[audience]
        return not scene or scenes is None or int.from_bytes(scene, "big") in scenes

    def ranges(self) -> list[tuple[bytes, bytes]]:
        """Return ranges of feed names that hold all of them; they may hold others of the same audiences."""
        own = (self.own, self.own + b"\x00")
        return [own, *((audience_feed(one, 0), one + _SCENE_END) for one in sorted(self.audiences))]

    def places(self) -> list[bytes]:
        """Return what to wait for: see `wake.place_of`."""
        return [self.own, *sorted(self.audiences)]


def feeds_of(view: View, caller: Caller) -> Feeds:
    """Return the feeds of a device."""
    directory = view.directories[caller.agency]
    kid = Kid(caller.device)
    person = directory.persons[directory.devices[kid].person]
    audiences, since, supervises = dict[bytes, frozenset[int] | None](), dict[bytes, int](), None
    for audience in directory.audiences.values():
        if kid in audience.members:
            audiences[audience.audience] = person.scenes if audience.function == "field" else frozenset()
            since[audience.audience] = audience.members[kid]
            if audience.function == "supervisors":
                supervises = audience.audience
    return Feeds(device_feed(caller.device), audiences, supervises, since)
