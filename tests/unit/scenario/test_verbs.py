"""The command line of runs and faults, as far as it goes without a lab."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lab.cli.fault import _make, fault
from lab.cli.run import run
from lab.errors import InputError


def test_help_of_faults_tells_how_each_is_written() -> None:
    told = CliRunner().invoke(fault, ["--help"]).output
    assert "link-down NODE [INTERFACE=eth0]" in told
    assert "partition ONE OTHER" in told


def test_fault_from_words() -> None:
    assert _make("link-down", ("client1",)).words == "the link of client1 eth0 goes down"
    assert _make("mtu", ("r1", "eth0", "900")).words == "the MTU of r1 eth0 becomes 900"
    assert _make("partition", ("a,b", "c")).words == "a, b and c cannot reach each other"


@pytest.mark.parametrize(
    ("name", "words"),
    [("mtu", ("r1", "eth0")), ("mtu", ("r1", "eth0", "small")), ("bgp-stop", ("a", "b"))],
)
def test_wrong_words_are_told_the_right_ones(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"it is written: lab fault {name}"):
        _make(name, words)


def test_a_fault_that_is_none() -> None:
    result = CliRunner().invoke(fault, ["fire", "r1"])
    assert result.exit_code == 2
    assert "'fire' is not one of" in result.output


@pytest.mark.parametrize(
    "arguments", [["basic", "--jobs", "0"], ["basic", "--repeat", "x"], [], ["basic", "-o", "xml"]]
)
def test_wrong_usage_of_run(arguments: list[str]) -> None:
    assert CliRunner().invoke(run, arguments).exit_code == 2
