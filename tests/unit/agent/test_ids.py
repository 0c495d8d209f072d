"""Numbers for what the maps name: which is given, and when one is given again."""

from __future__ import annotations

import pytest

from lab.agent.services.ids import Ids


def test_ids_count_from_one_and_stay() -> None:
    ids: Ids[str] = Ids(9)
    assert [ids.take(key) for key in "abab"] == [1, 2, 1, 2]


def test_one_that_was_given_back_waits_until_all_others_were_given() -> None:
    ids: Ids[str] = Ids(3)
    ids.take("a")
    ids.give_back("a")
    assert [ids.take(key) for key in "bcd"] == [2, 3, 1]


def test_the_next_free_one_is_given_when_the_last_was() -> None:
    ids: Ids[str] = Ids(4)
    for key in "abcd":
        ids.take(key)
    ids.give_back("c")
    assert ids.take("e") == 3
    ids.give_back("b")
    ids.give_back("d")
    assert [ids.take(key) for key in "fg"] == [4, 2]


def test_all_ids_are_given_before_there_is_none() -> None:
    ids: Ids[str] = Ids(2)
    ids.take("a")
    ids.take("b")
    with pytest.raises(OverflowError, match="all 2 ids are taken"):
        ids.take("c")
    assert ids.take("a") == 1
    ids.give_back("a")
    assert ids.take("c") == 1


def test_an_id_of_an_earlier_agent_is_nobody_else_s() -> None:
    ids: Ids[str] = Ids(4)
    ids.restore("old", 3)
    ids.restore("older", 1)
    assert [ids.take(key) for key in ("a", "b", "old", "older")] == [4, 2, 3, 1]


def test_what_flows_remember_is_given_last() -> None:
    ids: Ids[str] = Ids(3)
    ids.skip(2)
    ids.skip(1)
    assert [ids.take(key) for key in "abc"] == [3, 1, 2]


def test_a_new_name_has_the_id_of_the_old_one() -> None:
    ids: Ids[str] = Ids(4)
    ids.take("slot")
    ids.rename("slot", "frontend")
    assert ids.take("frontend") == 1
    assert "slot" not in ids
    assert "frontend" in ids
    ids.give_back("frontend")
    ids.give_back("frontend")
    assert "frontend" not in ids


def test_all_but_what_is_kept_are_free() -> None:
    ids: Ids[str] = Ids(3)
    for key in "abc":
        ids.take(key)
    ids.keep(lambda key: key == "b")
    assert [ids.take(key) for key in "bde"] == [2, 1, 3]
