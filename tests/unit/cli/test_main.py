from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

import click
import pytest

from lab import shell
from lab.cli import main as module
from lab.cli.main import FAMILIES, VERBS, cli, main
from lab.errors import InputError, MachineError
from lab.sandbox import rundir


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "ROOT", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def with_outcome(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, code: object) -> int:
    @click.command()
    def command() -> object:
        if error is not None:
            raise error
        return code

    monkeypatch.setattr(module.Lazy, "get_command", lambda *_: command)
    return main(["ps"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (MachineError("x", "y"), 3),
        (KeyboardInterrupt(), 128 + signal.SIGINT),
        (click.Abort(), 128 + signal.SIGINT),
        (click.UsageError("x"), 2),
    ],
)
def test_an_error_becomes_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_outcome(monkeypatch, error, None) == code


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_a_verbs_number_is_the_exit_code(
    returned: object, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_outcome(monkeypatch, None, returned) == code


def test_an_error_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_outcome(monkeypatch, InputError("bad [bold]input[/bold]\n  details"), None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: bad [bold]input[/bold]\n  details\n"


def test_a_file_that_cannot_be_written_is_told_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "nowhere" / "before.json"
    assert main(["doctor", "--save", str(place)]) == 1
    assert capfd.readouterr().err == f"error: {place}: No such file or directory\n"


def test_a_full_disk_behind_the_output() -> None:
    ended = shell.probe(["sh", "-c", f"{sys.executable} -m lab.cli list > /dev/full"])
    assert (ended.code, ended.err) == (1, "error: the output: No space left on device\n")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_command_of_that_name(verb: str) -> None:
    target, _ = VERBS[verb]
    name, attribute = target.split(":")
    command = getattr(importlib.import_module(name), attribute)
    assert isinstance(command, click.Command)
    assert command.name == verb


def test_help_names_every_verb_and_loads_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(importlib, "import_module", refuse)
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for family, verbs in FAMILIES.items():
        assert f"{family}:" in out
        assert all(f"\n  {verb} " in out for verb in verbs)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dance"], "No such command 'dance'"),
        (["up"], "Missing argument 'TOPOLOGY'"),
        (["up", "nosuch"], "no topology 'nosuch'; there are "),
        (["up", "basic", "--name", "A b"], "'A b' cannot be a lab's name"),
        (["up", "basic", "-O", "workers"], "is written key=value, not workers"),
        (["up", "basic", "-O", "wokers=3"], "wokers"),
        (["exec", "client1"], "Missing argument 'COMMAND...'"),
        (["exec", "client1", "--"], "Missing argument 'COMMAND...'"),
        (["exec", "client1", "true"], "no lab is running; `lab up basic` starts one"),
        (["shell", "client1"], "no lab is running"),
        (["kubectl", "-n", "kube-system", "get", "pods"], "no lab is running"),
        (["vtysh", "bgp-router1", "show", "version"], "no lab is running"),
        (["exec", "client1", "--name", "x", "--", "true"], "come before NODE: --name is behind"),
        (["down"], "there is no lab to end"),
        (["down", "nosuch"], "there is no lab named 'nosuch'; there are: none"),
        (["graph", "nosuch"], "no topology 'nosuch'"),
        (["ps", "-o", "xml"], "'xml' is not one of 'text', 'json'"),
    ],
)
def test_bad_input_is_explained(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_who_is_not_root_is_told_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["ps"]) == 3
    assert "sudo python3 -m lab" in capsys.readouterr().err


# The words of `lab test`, --help included, are pytest's.
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "test"])
def test_the_help_of_a_verb_needs_no_lab(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: lab {verb} " in capsys.readouterr().out


def test_the_group_offers_the_verbs_in_the_tables_order() -> None:
    with click.Context(cli) as ctx:
        assert cli.list_commands(ctx) == list(VERBS)


def test_a_path_of_tests_that_is_not_there_is_named() -> None:
    told = shell.probe([sys.executable, "-m", "lab", "test", "tests/nope", "-k", "anything"])
    assert told.code == 2
    assert "there is no tests/nope" in told.err
