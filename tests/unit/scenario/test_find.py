"""Scenario files by name, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.scenario import find
from lab.scenario.running.batch import turns

GOOD = """\
from lab.scenario.story import Scenario
scenario = Scenario("T")
@scenario.step("S")
def s(stage):
    "Words."
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ping_drop", "ecmp", "ecmp_rehash"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    (tmp_path / "_part.py").write_text("")
    return tmp_path


def test_names(folder: Path) -> None:
    assert find.names(folder) == ["ecmp", "ecmp-rehash", "ping-drop"]


def test_chosen_by_name_glob_and_all(folder: Path) -> None:
    assert find.chosen(["ping-drop", "ecmp*"], folder) == ["ping-drop", "ecmp", "ecmp-rehash"]
    assert find.chosen(["all", "ecmp"], folder) == ["ecmp", "ecmp-rehash", "ping-drop"]
    assert find.chosen(["ping_drop"], folder) == ["ping-drop"]


def test_a_name_of_nothing_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no scenario 'x'.*:\n  ecmp, ecmp-rehash, ping-drop$"):
        find.chosen(["x"], folder)


def test_many_names_are_told_in_lines_of_a_terminals_width(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"some_scenario_{number}.py").write_text(GOOD)
    with pytest.raises(InputError) as error:
        find.chosen(["x"], tmp_path)
    _, *lines = str(error.value).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 88
    assert " ".join(lines).split() == [f"{name}," for name in find.names(tmp_path)[:-1]] + [
        "some-scenario-9"
    ]


@pytest.mark.parametrize("typed", ["ecpm", "ecmp_rehas", "pingdrop"])
def test_a_name_with_a_slip_is_told_which_was_meant(folder: Path, typed: str) -> None:
    meant = {"ecpm": "ecmp", "ecmp_rehas": "ecmp-rehash", "pingdrop": "ping-drop"}[typed]
    with pytest.raises(InputError, match=rf"no scenario '{typed}'.*did you mean .*{meant}"):
        find.chosen([typed], folder)


def test_load(folder: Path) -> None:
    scenario = find.load("ping-drop", folder)
    assert scenario.title == "T"
    assert [(step.title, step.words) for step in scenario.steps] == [("S", "Words.")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("scenario = 1\n", "makes no Scenario"),
        ("def x(:\n", "cannot be loaded"),
        ("from lab.scenario.story import Scenario\nscenario = Scenario('T')\n", "has no step"),
        ("from lab.scenario.story import Scenario\nScenario('T', nope=1)\n", "cannot be loaded"),
    ],
)
def test_files_that_make_no_scenario(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(InputError, match=complaint):
        find.load("bad", tmp_path)


def test_every_scenario_of_the_repository_loads_and_explains_each_step() -> None:
    for name in find.names():
        scenario = find.load(name)
        assert all(step.words for step in scenario.steps), name
        for manifest in scenario.manifests:
            assert (find.FOLDER / manifest).is_file(), manifest


def test_labs_side_by_side_have_names_of_their_own() -> None:
    planned = turns(["a", "b"], repeat=2, lab=None, jobs=2)
    assert [turn.lab for turn in planned] == ["a-1", "b-2", "a-3", "b-4"]


def test_labs_one_after_the_other_share_a_name() -> None:
    planned = turns(["a", "b"], repeat=1, lab="mine", jobs=1)
    assert [turn.lab for turn in planned] == ["mine", "mine"]


def test_a_seed_decides_an_order_of_its_own_for_each_round() -> None:
    names = [f"s{number}" for number in range(20)]
    first, again, other = (
        [turn.scenario for turn in turns(names, repeat=2, lab=None, jobs=1, shuffle=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first[:20] != first[20:]
    assert sorted(first[:20]) == sorted(first[20:]) == sorted(names)


def test_lab_names_fit() -> None:
    (only,) = turns(["x" * 40], repeat=1, lab=None, jobs=2)
    assert only.lab == "x" * 28 + "-1"
