"""Who may import whom in the control plane: controllers know the API server, never the reverse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lab.repository import REPOSITORY

LAB = REPOSITORY / "lab"


def imported(file: Path) -> set[str]:
    """The parts of the lab (`lab.kube`, ...) that a module imports from."""
    tree = ast.walk(ast.parse(file.read_text()))
    names = {node.module or "" for node in tree if isinstance(node, ast.ImportFrom)}
    return {".".join(name.split(".")[:2]) for name in names if name.startswith("lab.")}


@pytest.mark.parametrize(
    ("part", "unknown"),
    [
        ("kube", {"lab.controllers", "lab.operator", "lab.agent", "lab.sandbox", "lab.topology"}),
        ("controllers", {"lab.operator", "lab.agent", "lab.sandbox"}),
    ],
)
def test_dependence_goes_one_way(part: str, unknown: set[str]) -> None:
    found = {str(file): imported(file) & unknown for file in (LAB / part).rglob("*.py")}
    assert found
    assert not {file: names for file, names in found.items() if names}
