"""The journal of standing faults: what is written down, struck out and refused."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.sandbox.journal import Journal

SMALL = {"words": "the MTU becomes 1300", "alters": "the MTU of a eth0", "undo": [1]}
SMALLER = {"words": "the MTU becomes 1200", "alters": "the MTU of a eth0", "undo": [2]}
CRASH = {"words": "b loses its power", "alters": "the power of b", "undo": [3]}


def words(journal: Journal) -> list[str]:
    return [one["words"] for one in journal.standing({})["faults"]]


def test_faults_stand_until_they_are_struck_out() -> None:
    journal = Journal()
    journal.note(SMALL)
    journal.note(CRASH)
    assert journal.standing({}) == {
        "faults": [
            {"words": "the MTU becomes 1300", "undo": [1]},
            {"words": "b loses its power", "undo": [3]},
        ]
    }
    journal.forget({"words": "the MTU becomes 1300"})
    assert words(journal) == ["b loses its power"]


@pytest.mark.parametrize("second", [SMALL, SMALLER])
def test_two_faults_cannot_alter_the_same(second: dict[str, object]) -> None:
    journal = Journal()
    journal.note(SMALL)
    with pytest.raises(InputError) as refusal:
        journal.note(second)
    assert str(refusal.value).splitlines() == [
        "it stands already: the MTU becomes 1300",
        "  one fault at a time alters the MTU of a eth0; `lab fault clear` mends all",
    ]
    assert words(journal) == ["the MTU becomes 1300"]
