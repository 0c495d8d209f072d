"""Packages: how presence is seen, and their names on each distribution."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.setup.machine import Distribution
from lab.setup.packages import Package, find_program, names_on, needed


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
