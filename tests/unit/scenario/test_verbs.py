"""The command line of runs and faults, as far as it goes without a lab."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.fault import fault
from lab.cli.run import run
from lab.errors import InputError
from lab.sandbox.handle import Lab

from .fakes import FakeLab


def test_help_of_faults_tells_how_each_is_written() -> None:
    def usage(name: str) -> str:
        return CliRunner().invoke(fault, [name, "--help"]).output

    assert "link-down [OPTIONS] NODE [INTERFACE]" in usage("link-down")
    assert "partition [OPTIONS] ONE OTHER" in usage("partition")
    assert "The cable of an interface is pulled" in usage("link-down")


@pytest.mark.parametrize(
    "words",
    [
        ["mtu", "r1", "eth0"],
        ["mtu", "r1", "eth0", "small"],
        ["relay-kill", "a"],
        ["fire", "r1"],
        ["loss", "r1", "eth0", "many"],
        ["link-down", "r1", "--mend", "--measure", "172.16.10.0"],
        ["link-down", "r1", "--mend", "--for", "0"],
    ],
)
def test_wrong_words_of_faults(words: list[str]) -> None:
    assert CliRunner().invoke(fault, words).exit_code == 2


def test_a_fault_tells_programs_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = FakeLab()
    lab.answers["standing-faults"] = {"faults": [{"words": "the API server is killed", "undo": []}]}
    monkeypatch.setattr(Lab, "find", lambda _: lab)

    def told(*words: str) -> object:
        return json.loads(
            CliRunner().invoke(fault, ["api-server-kill", *words, "-o", "json"]).stdout
        )

    assert told() == {"fault": "the API server is killed"}
    assert told("--for", "0") == {"fault": "the API server is killed", "seconds": 0.0}
    assert told("--mend") == {"mended": "the API server is killed"}


@pytest.mark.parametrize(
    "arguments", [["basic", "--jobs", "0"], ["basic", "--repeat", "x"], [], ["basic", "-o", "xml"]]
)
def test_wrong_usage_of_run(arguments: list[str]) -> None:
    assert CliRunner().invoke(run, arguments).exit_code == 2


@pytest.mark.parametrize("words", [["--junit", "{}/x/y/results.xml"], ["--artifacts", "{}/x/y"]])
def test_a_place_for_results_is_made_before_any_lab(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "x").write_text("a file, no folder")
    arguments = ["basic", *(word.format(tmp_path) for word in words)]
    error = CliRunner().invoke(run, arguments).exception
    assert isinstance(error, InputError)
    assert str(error) == f"{tmp_path}/x/y cannot be written to: Not a directory"
