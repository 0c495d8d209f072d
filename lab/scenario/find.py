"""Scenario files: found by name, never imported by name."""

from __future__ import annotations

import fnmatch
import importlib.util
import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from lab.errors import InputError
from lab.repository import REPOSITORY
from lab.scenario.story import Scenario

FOLDER = REPOSITORY / "scenarios"


def names(folder: Path = FOLDER) -> list[str]:
    """Names of all scenarios, sorted: `ping_drop.py` is `ping-drop`."""
    files = folder.glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if not file.stem.startswith("_"))


def chosen(patterns: Sequence[str], folder: Path = FOLDER) -> list[str]:
    """The scenarios that names, globs or `all` stand for, each once, in the order asked for.

    InputError when one of them stands for nothing.
    """
    there = names(folder)
    found: list[str] = []
    for pattern in patterns:
        wanted = "*" if pattern == "all" else pattern.replace("_", "-")
        matching = fnmatch.filter(there, wanted)
        if not matching:
            raise InputError(f"no scenario {pattern!r} in {folder}{_instead(wanted, there)}")
        found += [name for name in matching if name not in found]
    return found


def _instead(wanted: str, there: Sequence[str]) -> str:
    """What somebody may have meant; or else all there is, in lines of a terminal's width."""
    near = get_close_matches(wanted, there)
    if near:
        return f"; did you mean {' or '.join(near)}?\n  `lab list` tells all there are"
    known = textwrap.fill(
        ", ".join(there) or "none",
        width=88,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    return f"; there are:\n{known}"


def load(name: str, folder: Path = FOLDER) -> Scenario:
    """The scenario of a file; InputError when the file does not make one."""
    path = folder / f"{name.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(f"scenarios.{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise InputError(f"no scenario {name!r}: {path} is not there")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, TypeError) as exc:
        raise InputError(f"{path} cannot be loaded: {exc}") from exc
    scenario = getattr(module, "scenario", None)
    if not isinstance(scenario, Scenario):
        raise InputError(f"{path} makes no Scenario named `scenario`")
    if not scenario.steps:
        raise InputError(f"{path}: the scenario has no step")
    return scenario
