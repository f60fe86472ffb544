"""The registry's scenes as entries of the founding agency's directory: new ones, new labels, zones.

Refuses: any agency but the one that holds the registry; a zone that is no GeoJSON.
Source: docs/protocol.md section 2, `Scene`.

> INVARIANT: a number stays with its scene, and what is registered already makes no entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sluss_client.errors import Invalid, Refused
from sluss_schemas import directory as d
from sluss_schemas import zones
from sluss_schemas.replay import Directory


def added(own: Directory, scenes: Sequence[tuple[str, str, str]]) -> list[d.Body]:
    """Return the entries that add or relabel scenes by (slug, English label, Swedish label).

    Raises:
        Refused: `not_allowed` unless this agency holds the registry.

    """
    _must_hold(own)
    bodies = list[d.Body]()
    known = {scene.slug: scene for scene in own.scenes.values()}
    following = max(own.scenes, default=0) + 1
    for slug, english, swedish in scenes:
        before = known.get(slug)
        if before is not None and (before.label_en, before.label_sv) == (english, swedish):
            continue
        if before is None:
            body = d.Scene(following, slug, english, swedish, None, "confirmed")
            following += 1
        else:
            body = msgspec.structs.replace(before, label_en=english, label_sv=swedish)
        known[slug] = body
        bodies.append(body)
    return bodies


def zoned(own: Directory, slug: str, geojson: str | None) -> list[d.Body]:
    """Return the entry that gives a scene the outline in a GeoJSON text, or takes it away; none where it was so before.

    Raises:
        Refused: `not_allowed` unless this agency holds the registry.
        Invalid: `unknown_scene`; `bad_zone` with the line and the coordinate; `too_long`.

    """
    _must_hold(own)
    scene = next((one for one in own.scenes.values() if one.slug == slug), None)
    if scene is None:
        raise Invalid("unknown_scene", "scene")
    zone = None if geojson is None else zones.parse(geojson)
    return [] if zone == scene.zone else [msgspec.structs.replace(scene, zone=zone)]


def _must_hold(own: Directory) -> None:
    if own.genesis is None or not own.genesis.registry:
        raise Refused("scenes", "The scenes are kept by the agency that founded the partnership.", code="not_allowed")
