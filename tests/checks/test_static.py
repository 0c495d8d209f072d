"""The static checks, as tests: one run of pytest tells the whole state of the repository."""

from __future__ import annotations

import sys

import pytest

from lab import shell
from lab.repository import REPOSITORY

CHECKS = {
    "ruff": ["ruff", "check", "--no-cache"],
    "format": ["ruff", "format", "--check", "--no-cache"],
    "types": ["mypy"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_holds_everywhere(name: str) -> None:
    tool, *words = CHECKS[name]
    result = shell.probe([sys.executable, "-m", tool, *words], timeout=300, cwd=REPOSITORY)
    assert result.ok, f"{name}\n{result.out}{result.err}"
