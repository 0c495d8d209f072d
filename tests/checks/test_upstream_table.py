"""docs/upstream-tests.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lab.repository import REPOSITORY

ROWS = [
    line.strip("|").split("|")
    for line in (REPOSITORY / "docs/upstream-tests.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| upstream")
]
NAMED = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip() for row in ROWS])
def test_a_row_names_tests_that_exist_or_a_reason(row: list[str]) -> None:
    _, ours = row
    named = NAMED.findall(ours)
    missing = [
        f"{file}::{name}" for file, name in named if name not in functions(REPOSITORY / file)
    ]
    assert missing == []
    assert named or ours.strip().startswith(("none: ", "see "))
