"""Topology files: found by name in `topologies/`, or given by path."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path

from lab.errors import InputError
from lab.repository import REPOSITORY
from lab.topology import vocabulary
from lab.topology.model import Topology

DIRECTORY = REPOSITORY / "topologies"


def names(directory: Path = DIRECTORY) -> list[str]:
    """Names of all topology files."""
    return sorted(path.stem for path in directory.glob("*.py") if not path.stem.startswith("_"))


def find(name: str, directory: Path = DIRECTORY) -> Path:
    """The file of a topology given by name or by path; InputError lists what there is."""
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise InputError(f"there is no topology file {name}")
        return Path(name)
    path = directory / f"{name}.py"
    if not path.is_file():
        raise InputError(
            f"no topology {name!r}; there are {_list(names(directory))}; or give a file, X.py"
        )
    return path


def load(name: str, directory: Path = DIRECTORY, /, **parameters: object) -> Topology:
    """Run a topology file and call its `topology()` with the parameters.

    Any failure of the file is an InputError that names the file and the line.
    """
    path = find(name, directory)
    try:
        function = runpy.run_path(str(path)).get("topology")
        if not callable(function):
            raise InputError("it has no function topology() -> Topology")
        _check_spelling(function, parameters)
        made = function(**parameters)
    except (Exception, SystemExit) as exc:  # the file is the user's: whatever it raises is input
        raise InputError(f"topology file {path}{_line(exc, path)}: {_describe(exc)}") from exc
    if not isinstance(made, Topology):
        kind = type(made).__name__
        raise InputError(f"topology file {path}: topology() returned {kind}, not a Topology")
    return made


def _check_spelling(function: Callable[..., object], given: Iterable[str]) -> None:
    """InputError for a name that looks like one of the function's own parameters, but is none.

    Its `**options` would take it, and the cluster would refuse it without knowing what was meant.
    """
    own = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    known = {*own, *vocabulary.CLUSTER, *vocabulary.DATAPATH}
    for name in given:
        near = get_close_matches(name, own, n=1)
        if near and name not in known:
            raise InputError(f"unknown option {name!r}; did you mean {near[0]}?")


def _line(error: BaseException, path: Path) -> str:
    """The last line of the file that took part in the failure."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" line {line}" if line else ""


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _list(found: Iterable[str]) -> str:
    return ", ".join(found) or "none"
