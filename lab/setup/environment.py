"""The Python packages of the lab: a virtual environment in the repository, pinned by lock files.

The lock files hold every package with its exact version for Python 3.10 to 3.13, so pip resolves
nothing. A stamp written last into the environment says which locks it was filled from, for which
repository path and interpreter: an environment that was interrupted, moved or outdated has none
that matches, and is filled again.
"""

from __future__ import annotations

import os
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(REPOSITORY, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
PROGRAMS = os.path.join(VENV, "bin")
KUBECTL = os.path.join(PROGRAMS, "kubectl")
"""There where the distribution has no package of it (see `kubectl.py`)."""
STAMP = os.path.join(VENV, "lab-setup.stamp")

UNFINISHED = os.path.join(REPOSITORY, ".build", "services-before-setup")
"""There while packages are being installed, and after an installation that was cut short."""

_HERE = os.path.dirname(os.path.abspath(__file__))
LOCK = os.path.join(_HERE, "requirements.txt")
TEST_LOCK = os.path.join(_HERE, "requirements-test.txt")


def locks(*, test: bool) -> tuple[str, ...]:
    """The lock files of one goal."""
    return (LOCK, TEST_LOCK) if test else (LOCK,)


def filled_for(*, test: bool) -> bool:
    """Whether the environment is there and complete for the goal."""
    if not os.access(PYTHON, os.X_OK):
        return False
    try:
        lines = _read(STAMP).splitlines()
    except FileNotFoundError:
        return False
    return lines[:2] == _identity(os.path.realpath(PYTHON)) and set(_pins(locks(test=test))) <= set(
        lines
    )


def stamp(*, test: bool) -> None:
    """Declare the environment complete for the goal; atomic."""
    lines = [*_identity(os.path.realpath(PYTHON)), *_pins(locks(test=test))]
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(STAMP + ".new", STAMP)


def unstamp() -> None:
    """Declare the environment incomplete, before it is changed."""
    if os.path.exists(STAMP):
        os.unlink(STAMP)


def count(*, test: bool) -> int:
    """How many packages the lock files pin, those for other systems included."""
    return len(_pins(locks(test=test)))


def interpreter() -> str:
    """The interpreter to build the environment with: never that of another environment."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return os.path.realpath(base)


def _identity(python: str) -> list[str]:
    return [f"repository {REPOSITORY}", f"python {python}"]


def _pins(paths: tuple[str, ...]) -> list[str]:
    lines = [line for path in paths for line in _read(path).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
