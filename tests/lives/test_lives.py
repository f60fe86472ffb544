"""Random lives of an agency: whatever happens in whatever order, who can open what is what the model says.

The model has people, telephones and an order of things; it has no key, no epoch and no server.
"""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluss_client.testing import Town

from tests.lives.life import Life

ACTS: Final = (
    *("file",) * 5,
    *("join",) * 2,
    "go_offline",
    "come_back",
    "leave",
    "lose",
    "ninety_days",
    "everything_lost",
    "back_up",
    "restore",
)
Choices = list[tuple[str, int]]
LIVES: Final = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99)), min_size=8, max_size=10)
LONG: Final = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99)), min_size=30, max_size=60)


async def live(choices: Choices) -> None:
    """Live through these acts, and hold everything against the model after each of them."""
    async with Town(agencies=("security", "police")) as town:
        life = Life(town)
        await life.begin()
        try:
            await life.join()
            await life.settle()
            for act, choice in choices:
                await _do(life, act, choice)
                await life.settle()
                life.check()
        finally:
            await life.end()


async def _do(life: Life, act: str, choice: int) -> None:
    if act in {"join", "ninety_days", "everything_lost", "back_up", "restore"}:
        await getattr(life, act)()
        return
    there = [name for name, phone in life.model.phones.items() if phone.there]
    among = {"come_back": life.away, "file": there}.get(act, life.online)
    # The last one with coverage stays: somebody has to be there to whom things can happen.
    if not among or (act in {"leave", "lose", "go_offline"} and len(among) < 2):
        return
    await getattr(life, act)(among[choice % len(among)])


SETTINGS: Final = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # A life takes seconds: one that fails is told as it was found.
    phases=(Phase.explicit, Phase.generate),
)


@settings(SETTINGS, max_examples=1)
@given(LIVES)
def test_who_can_open_what_is_what_the_model_says(choices: Choices) -> None:
    asyncio.run(live(choices))


@pytest.mark.parametrize(
    "acts",
    [
        "file everything_lost file join leave file",
        "file back_up file join file restore file lose file",
        "file go_offline file ninety_days file come_back leave file",
    ],
)
def test_a_life_that_people_have_told_us_of(acts: str) -> None:
    asyncio.run(live([(act, 1) for act in acts.split()]))


@pytest.mark.soak
@settings(SETTINGS, max_examples=60)
@given(LONG)
def test_long_lives(choices: Choices) -> None:
    asyncio.run(live(choices))
