"""Mininet and IPMininet without their ballast, and without their claws."""

from __future__ import annotations

import sys

import pytest

from lab import shell
from lab.emulation import lean
from lab.repository import REPOSITORY

REPORT = """
import sys, json, pathlib
before = set(pathlib.Path("/tmp").glob("tmp*"))
import lab.emulation.lean
left = sorted(str(path) for path in set(pathlib.Path("/tmp").glob("tmp*.pub")) - before)
print(json.dumps([sorted(sys.modules), left]))
"""


def test_it_brings_no_ballast_and_leaves_no_file() -> None:
    loaded, left = shell.run([sys.executable, "-c", REPORT], cwd=REPOSITORY).json()
    assert left == []
    assert "ipmininet.ipnet" in loaded
    ballast = ("mako", "pygments", "distutils", "setuptools", "pyroute2")
    assert not [name for name in loaded if name.split(".")[0] in ballast]


def test_stand_ins_are_gone_after_the_import() -> None:
    for name in lean.STAND_INS:
        module = sys.modules.get(name)
        assert module is None or module.__spec__ is not None, f"{name} is a stand-in"


def test_the_classes_are_ipmininets_own() -> None:
    assert lean.IPNet.__module__ == "ipmininet.ipnet"
    assert "Mininet" in {base.__name__ for base in lean.IPNet.__mro__}


def test_the_cleanup_that_kills_by_name_is_an_error() -> None:
    import mininet.clean  # noqa: PLC0415 - only there once lean has imported it

    with pytest.raises(lean.ForbiddenCleanup):
        mininet.clean.cleanup()
    with pytest.raises(lean.ForbiddenCleanup):
        mininet.clean.Cleanup.cleanup()
