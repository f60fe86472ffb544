"""The counts that several panels show: by week, kind and scene, the own agency's exactly and the others' as published.

A sum of published figures is a sum of what is shown: it says how much is known, and whether something is hidden.
Refuses to subtract: nothing here tells what is hidden from what is shown.

> INVARIANT: pure but for `load`; a hidden figure never becomes a number.

Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_server.aggregates.catalogue import counts_for_others, is_counted, rule_of
from sluss_server.aggregates.cells import SCENE, TOTAL, week_of
from sluss_server.services import Services
from sluss_server.services.cube import Shown
from sluss_server.services.sessions import Viewer
from sluss_server.storage_free import DayCount
from sluss_server.web.asking import Ask
