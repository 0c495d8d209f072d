"""Filling the Python environment: make it, install the pinned packages, install IPMininet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.setup import environment
from lab.setup.environment import PYTHON, REPOSITORY, VENV
from lab.setup.progress import step
from lab.setup.tool import run

IPMININET = "ipmininet==1.0"
IPMININET_SOURCES = "/opt/mininet_dependencies"
"""IPMininet's setup.py clones other repositories into this directory unless it exists."""
MARK = os.path.join(IPMININET_SOURCES, ".made-by-lab-setup")

PIP = (PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps")

PUT_ON_PATH = """
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "lab.pth").write_text(sys.argv[1] + chr(10))
"""

ADVICE = (
    "see that pip reaches its package index (pip download click),"
    " then give the same command again: it goes on from where it stopped"
)


def fill(*, test: bool) -> None:
    """Bring the environment to the state of the lock files; SetupError when a tool fails."""
    environment.unstamp()
    with step("Python environment"):
        _make()
    with step("Python packages") as current:
        _install_pinned(test, current.at)
    with step("IPMininet"):
        _install_ipmininet()
    with step("byte code"):
        _compile()
    environment.stamp(test=test)


def _make() -> None:
    """The environment itself, and the repository on its path.

    An environment whose interpreter still exists keeps it and what it holds (`--upgrade` also
    completes one whose making was interrupted); any other is made from nothing.
    """
    if os.access(PYTHON, os.X_OK):
        argv = [os.path.realpath(PYTHON), "-m", "venv", "--upgrade", VENV]
    else:
        argv = [environment.interpreter(), "-m", "venv", "--clear", VENV]
    run(argv, advice=ADVICE)
    run([PYTHON, "-c", PUT_ON_PATH, REPOSITORY], advice=ADVICE)


def _install_pinned(test: bool, report: Callable[[float, str], None]) -> None:
    """All of the lock files in one run of pip; each package is announced by a line."""
    total = environment.count(test=test)
    seen = 0

    def watch(line: str) -> None:
        nonlocal seen
        if line.startswith(("Collecting ", "Requirement already satisfied", "Ignoring ")):
            seen += 1
            report(90 * seen / total, " ".join(line.split()[:2]))
        elif line.startswith("Installing collected"):
            report(90, "unpacking")

    files = [word for lock in environment.locks(test=test) for word in ("-r", lock)]
    run([*PIP, "--no-compile", *files], advice=ADVICE, watch=watch)


def _install_ipmininet() -> None:
    """IPMininet from its source package.

    Its metadata names Mininet by a git address, so nothing may resolve it (`--no-deps`), and its
    setup.py needs the environment's old setuptools (`--no-build-isolation`).
    """
    with _sources_directory():
        run([*PIP, "--no-build-isolation", "--no-compile", IPMININET], advice=ADVICE)


@contextmanager
def _sources_directory() -> Iterator[None]:
    """The directory that keeps IPMininet's setup.py from cloning; removed if it was made here.

    The mark inside tells a later run that a killed one left it.
    """
    if not os.path.exists(IPMININET_SOURCES):
        os.mkdir(IPMININET_SOURCES)
        open(MARK, "x", encoding="utf-8").close()
    try:
        yield
    finally:
        if os.path.exists(MARK):
            os.unlink(MARK)
            os.rmdir(IPMININET_SOURCES)


def _compile() -> None:
    """Byte code for everything, on all cores: else the first start of the lab would do it.

    A few files of some packages are for other Python versions; failing to compile them is normal.
    """
    words = ["-q", "-q", "-j", "0", os.path.join(VENV, "lib"), os.path.join(REPOSITORY, "lab")]
    run(["/bin/sh", "-c", '"$@" || true', "sh", PYTHON, "-m", "compileall", *words], advice=ADVICE)
