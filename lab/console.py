"""Talking to the person at the terminal: results on stdout, progress and errors on stderr."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line of result, exactly as it is: no markup, no wrapping."""
    out.print(text, markup=False)


def tell(text: str) -> None:
    """A line of progress."""
    err.print(text, markup=False)


def complain(error: BaseException) -> None:
    """An error for a person: its message, without a traceback."""
    err.print("error:", style="bold red", end=" ")
    err.print(str(error), markup=False)
