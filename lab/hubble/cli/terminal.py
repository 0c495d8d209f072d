"""Terminals: colours by meaning, data that cannot command the terminal, columns."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_CODES = {
    "host": 36,
    "port": 33,
    "identity": 35,
    "forwarded": 32,
    "dropped": 31,
    "undecided": 33,
}
"""What is coloured -> SGR number."""


def safe(text: str) -> str:
    """Text from the network with its control characters made visible (ESC becomes ^[)."""
    return _CONTROL.sub(lambda found: _caret(found[0]), text)


def _caret(character: str) -> str:
    code = ord(character)
    return f"^{chr(code ^ 0x40)}" if code < 0x80 else f"\\x{code:02x}"


def wants_color(choice: str, stream: TextIO) -> bool:
    """Whether to colour: "always", "never", or "auto" for a terminal without NO_COLOR."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


class Painter:
    """Colours text by what it means, or leaves it alone."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def paint(self, meaning: str, text: str) -> str:
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self._on and text else text


class Table:
    """Rows in columns, three spaces apart; the last column is not padded."""

    GAP = 3

    def __init__(self, header: Sequence[str]) -> None:
        self._rows = [list(header)]

    def add(self, row: Sequence[str]) -> None:
        self._rows.append(list(row))

    def lines(self) -> list[str]:
        """All rows, each column as wide as its widest cell."""
        count = max(len(row) for row in self._rows)
        padded = [row + [""] * (count - len(row)) for row in self._rows]
        widths = [max(len(row[i]) for row in padded) + self.GAP for i in range(count - 1)]
        return [
            "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1]
            for row in padded
        ]
