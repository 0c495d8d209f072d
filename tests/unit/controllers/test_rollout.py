"""The arithmetic of rolling updates, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from lab.controllers.rollout import Bounds, Generation, grow_new, shrink_old, spread


def spec(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"replicas": replicas, "strategy": strategy}


@pytest.mark.parametrize(
    ("given", "surge", "unavailable"),
    [
        (spec(1), 1, 0),
        (spec(4), 1, 1),
        (spec(10), 3, 2),
        (spec(10, 0, 0), 0, 1),
        (spec(10, "0%", "0%"), 0, 1),
        (spec(3, 2, 5), 2, 3),
        ({"replicas": 3, "strategy": {"type": "Recreate"}}, 0, 0),
    ],
)
def test_bounds_round_surge_up_and_unavailable_down(
    given: dict[str, Any], surge: int, unavailable: int
) -> None:
    bounds = Bounds.of(given)
    assert (bounds.surge, bounds.unavailable) == (surge, unavailable)


@pytest.mark.parametrize(
    ("new", "old", "bounds", "wanted"),
    [
        (0, 0, Bounds(3, 1, 0), 3),
        (0, 3, Bounds(3, 1, 0), 1),
        (1, 3, Bounds(3, 1, 0), 1),
        (1, 2, Bounds(3, 1, 0), 2),
        (5, 0, Bounds(3, 1, 0), 3),
        (0, 3, Bounds(3, 0, 1), 0),
        (2, 0, Bounds(0, 0, 0), 0),
    ],
)
def test_the_new_set_grows_into_the_room_there_is(
    new: int, old: int, bounds: Bounds, wanted: int
) -> None:
    assert grow_new(Generation("new", new), [Generation("old", old, old)], bounds) == wanted


@pytest.mark.parametrize(
    ("new", "old", "bounds", "left"),
    [
        (Generation("n", 1, 0), [Generation("o", 3, 3)], Bounds(3, 1, 0), {"o": 3}),
        (Generation("n", 1, 1), [Generation("o", 3, 3)], Bounds(3, 1, 0), {"o": 2}),
        (Generation("n", 1, 0), [Generation("o", 4, 4)], Bounds(4, 1, 1), {"o": 3}),
        # Just made smaller: it reports three, one of which is on its way out.
        (Generation("n", 4, 2), [Generation("o", 1, 3)], Bounds(4, 1, 1), {"o": 1}),
        # The sick ones go first, wherever they are.
        (
            Generation("n", 2, 2),
            [Generation("o1", 2, 2), Generation("o2", 1, 0)],
            Bounds(4, 1, 0),
            {"o1": 2, "o2": 0},
        ),
        (Generation("n", 3, 3), [Generation("o", 1, 1)], Bounds(3, 1, 0), {"o": 0}),
    ],
)
def test_old_sets_shrink_only_by_what_can_be_spared(
    new: Generation, old: list[Generation], bounds: Bounds, left: dict[str, int]
) -> None:
    assert shrink_old(new, old, bounds) == left


def test_a_rollout_from_start_to_end_stays_within_its_bounds() -> None:
    bounds, new, old = Bounds(10, 3, 2), Generation("n", 0), Generation("o", 10, 10)
    for _ in range(20):
        new = Generation("n", grow_new(new, [old], bounds), new.available)
        old = Generation("o", shrink_old(new, [old], bounds)["o"], old.available)
        assert new.wanted + old.wanted <= 13
        assert new.available + min(old.available, old.wanted) >= 8
        new = Generation("n", new.wanted, new.wanted)
        old = Generation("o", old.wanted, old.wanted)
    assert (new.wanted, old.wanted) == (10, 0)


def test_a_scale_in_mid_rollout_keeps_the_proportions() -> None:
    sets = [Generation("old", 8), Generation("new", 5)]
    assert spread(sets, 26) == {"old": 16, "new": 10}
    assert sum(spread(sets, 20).values()) == 20
    assert spread([Generation("a", 0)], 5) == {"a": 0}
