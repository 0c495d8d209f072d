"""What the set-up reads of the command line, and what it decides."""

from __future__ import annotations

import pytest

from lab.setup import command
from lab.setup.command import Command, prepare
from lab.setup.packages import RUN
from lab.setup.survey import Lacking


def survey_finds(monkeypatch: pytest.MonkeyPatch, *, python: bool, packages: int = 0) -> None:
    lacking = Lacking(RUN[:packages], python=python, test=False)
    monkeypatch.setattr(command, "survey", lambda *, test: lacking)


def test_no_setup_is_taken_out_wherever_it_stands() -> None:
    parsed = Command.parse(["run", "--no-setup", "basic", "--keep"])
    assert parsed.arguments == ["run", "basic", "--keep"]
    assert parsed.no_setup


def test_what_follows_two_dashes_belongs_to_another_program() -> None:
    words = ["exec", "client1", "--", "prog", "--no-setup"]
    parsed = Command.parse(words)
    assert parsed.arguments == words
    assert not parsed.no_setup


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["test"], True),
        (["test", "-k", "x"], True),
        (["setup", "--test"], True),
        (["setup"], False),
        (["run", "basic"], False),
    ],
)
def test_only_tests_need_what_tests_need(words: list[str], wanted: bool) -> None:
    assert Command.parse(words).test is wanted


def test_a_complete_machine_goes_on_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    survey_finds(monkeypatch, python=False)
    assert prepare(Command.parse(["run", "basic"])) is None


def test_no_setup_reports_what_lacks_and_the_mending_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    survey_finds(monkeypatch, python=True, packages=2)
    assert prepare(Command.parse(["run", "basic", "--no-setup"])) == 3
    words = capsys.readouterr().err
    assert RUN[0].use in words
    assert RUN[1].use in words
    assert "Python packages" in words
    assert words.rstrip().endswith("to mend it: sudo python3 -m lab setup")


def test_help_on_a_bare_machine_installs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    survey_finds(monkeypatch, python=True)
    assert prepare(Command.parse(["--help"])) == 0
    assert "usage:" in capsys.readouterr().out


def test_setup_refuses_words_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    survey_finds(monkeypatch, python=False)
    assert prepare(Command.parse(["setup", "--fast"])) == 2
    assert "--fast" in capsys.readouterr().err
