"""Packages: how presence is seen, and their names on each distribution."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.repository import REPOSITORY
from lab.setup.environment import LOCK, TEST_LOCK
from lab.setup.machine import Distribution
from lab.setup.packages import Package, find_program, names_on, needed

ALWAYS_THERE = {"bash", "sh", "cat"}
THE_LABS_OWN = {"cilium", "hubble"}
OF_FRR = {"vtysh"}


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_from_anywhere_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kubectl = Package("kubernetes-client", "kubectl", programs=("kubectl-of-this-test",))
    assert not kubectl.present()
    executable(tmp_path / "kubectl-of-this-test")
    assert kubectl.present()


def test_a_file_that_cannot_be_executed_is_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "tool-of-this-test").write_text("text")
    assert find_program("tool-of-this-test") is None


def test_every_file_has_to_be_there(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    package = Package("some-dev", "headers", files=(str(first), str(second)))
    first.touch()
    assert not package.present()
    second.touch()
    assert package.present()


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', "debian"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "ubuntu"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "ubuntu"),
        ("ID=fedora\n", ""),
        ("", ""),
    ],
)
def test_a_distribution_belongs_to_its_nearest_known_relative(text: str, family: str) -> None:
    assert Distribution(text).family == family


def test_ubuntu_has_bpftool_in_other_packages() -> None:
    package = next(p for p in needed(test=False) if p.programs == ("bpftool",))
    assert names_on("debian", package) == ("bpftool",)
    assert names_on("ubuntu", package) == ("linux-tools-common", "linux-tools-generic")


def test_tests_need_all_that_a_lab_needs_and_more() -> None:
    assert set(needed(test=False)) < set(needed(test=True))


def test_every_program_that_a_scenario_calls_is_installed() -> None:
    call = re.compile(
        r"""(?:stage\.(?:show|run|probe|spawn)\([^,()]+,|\bline =)\s*f?["']([a-z]\w+)"""
    )
    files = REPOSITORY.glob("scenarios/*.py")
    called = {program for file in files for program in call.findall(file.read_text())}
    installed = {program for package in needed(test=False) for program in package.programs}
    assert {"traceroute", "kubectl", "ping", "ip"} <= called
    assert called - installed - ALWAYS_THERE - THE_LABS_OWN - OF_FRR == set()


def test_ubuntu_does_without_a_browser_that_is_a_snap() -> None:
    names = {name for package in needed(test=True, family="ubuntu") for name in package.names}
    assert "chromium" not in names
    assert "bridge-utils" in names


def test_every_dependency_of_the_project_is_locked() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    for lock, section in ((LOCK, "dependencies"), (TEST_LOCK, "dev")):
        listed = re.search(rf"^{section} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
        assert listed is not None
        wanted = {name.lower() for name in re.findall(r'"([A-Za-z0-9-]+)', listed[1])}
        pins = Path(lock).read_text().splitlines()
        locked = {pin.split("==")[0] for pin in pins if "==" in pin}
        assert wanted <= locked, f"run python -m lab.setup.lock: {sorted(wanted - locked)}"
