"""Topology files: found by name and path; what is wrong with one is the user's to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.topology.load import DIRECTORY, find, load, names

GOOD = """
from lab.topology import Topology, host, link, network

def topology(hosts=1):
    return Topology("mine", network("n", "10.0.0.0/24"), host("h"), link("h", "n", "10.0.0.1"))
"""


def write(directory: Path, text: str) -> str:
    path = directory / "mine.py"
    path.write_text(text)
    return str(path)


def test_by_name_and_by_path(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load(path).name == load("mine", tmp_path, hosts=2).name == "mine"
    assert names(tmp_path) == ["mine"]


def test_the_repositorys_own_are_listed() -> None:
    assert "basic" in names()
    assert find("basic") == DIRECTORY / "basic.py"


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"no topology 'basics'; there are mine"):
        load("basics", tmp_path)


@pytest.mark.parametrize("name", ["basic", "dual_stack", "scale"])
def test_a_slip_in_a_topologys_own_option_is_told_which_was_meant(name: str) -> None:
    with pytest.raises(InputError, match="unknown option 'wokers'; did you mean workers"):
        load(name, wokers=3)


def test_what_the_cluster_knows_is_no_slip(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("hosts=1", "vip_pools=1, **options"))
    assert load(path, vip_pool="172.16.10.0/24").name == "mine"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("def topology(:", "line 1: SyntaxError"),
        ("import nothing_like_this", "line 1: ModuleNotFoundError: No module"),
        ("\ndef topology():\n    return 1 / 0", "line 3: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "line 1: SystemExit: 3"),
        ("x = 1", "has no function topology"),
        ("def topology():\n    return 5", "topology() returned int, not a Topology"),
        (GOOD.replace("hosts=1", "a, b"), "missing 2 required positional arguments"),
    ],
)
def test_a_file_that_fails_is_bad_input(tmp_path: Path, text: str, wanted: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    assert wanted in str(caught.value)
    assert path in str(caught.value)


def test_a_number_of_nodes_that_is_none_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"line \d+: 'k8s-worker\{\}': 'x' is no number of nodes"):
        load("basic", workers="x")


def test_a_parameter_it_does_not_take_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unexpected keyword argument 'colour'"):
        load(write(tmp_path, GOOD), colour="red")
