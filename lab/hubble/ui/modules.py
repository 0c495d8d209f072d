"""ES modules as one script, so that a browser does not fetch them one after the other.

Every module becomes a function that returns what it exports, in the order in which they need each
other. Understood is what the page's own files and a minified library use: imports by name or as a
whole, exports of declarations, and one list of exports. Anything else is refused at start-up.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import InputError

_IMPORT = re.compile(
    r'^import (?:\{(?P<names>[^}]*)\}|\* as (?P<whole>\w+)) from "(?P<path>[^"]+)";$', re.MULTILINE
)
_EXPORT = re.compile(r"^export (?=(?:function|class|const) (?P<name>\w+))", re.MULTILINE)
_EXPORTS = re.compile(r"(?:^|(?<=;))export ?\{(?P<names>[^}]*)\};?", re.MULTILINE)
_LEFT = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)


def bundle(entry: Path) -> str:
    """The script that does what importing `entry` does; InputError says what was not understood."""
    order: dict[Path, str] = {}
    _collect(entry.resolve(), order, ())
    return "\n".join(["const modules = [];", *order.values()])


def _collect(path: Path, order: dict[Path, str], importing: tuple[Path, ...]) -> None:
    """Put the module behind all those that it imports."""
    if path in order:
        return
    if path in importing:
        raise InputError(f"{path.name} imports itself by way of {importing[-1].name}")
    text = path.read_text()
    for found in _IMPORT.finditer(text):
        _collect((path.parent / found["path"]).resolve(), order, (*importing, path))
    order[path] = _function(path, text, list(order))


def _function(path: Path, text: str, known: list[Path]) -> str:
    """The module as a function; `known` are the modules before it, by their numbers."""
    exports: list[str] = []

    def imported(found: re.Match[str]) -> str:
        number = known.index((path.parent / found["path"]).resolve())
        names = found["whole"] or f"{{{_renamed(found['names'])}}}"
        return f"const {names} = modules[{number}];"

    def exported(found: re.Match[str]) -> str:
        exports.append(found["name"])
        return ""

    def listed(found: re.Match[str]) -> str:
        pairs = (each.partition(" as ") for each in found["names"].split(","))
        exports.extend(f"{outer or inner}: {inner}" for inner, _, outer in pairs)
        return ""

    body = _IMPORT.sub(imported, text)
    body = _EXPORTS.sub(listed, _EXPORT.sub(exported, body))
    if left := _LEFT.search(body):
        raise InputError(f"{path.name}: cannot bundle {left[0].strip()!r}")
    return f"modules.push((() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})());"


def _renamed(names: str) -> str:
    """Names of an import as a destructuring: "a as b" is "a: b"."""
    return names.replace(" as ", ": ")
