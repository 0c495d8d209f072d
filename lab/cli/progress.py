"""The bring-up as it happens: a live table in a terminal, one line a phase elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import click

from lab.sandbox.events import PhaseEvent

WIDTH = 14
"""Columns for the name of a phase."""


class Progress:
    """Shows phases on standard error for the length of a `with` block, and remembers them."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        """Seconds of each phase that is done."""
        self._screen = _Live() if sys.stderr.isatty() else None

    def tell(self, event: PhaseEvent) -> None:
        if event.state == "done":
            self.phases[event.phase] = event.seconds
        if self._screen is not None:
            self._screen.tell(event)
        elif event.state in ("done", "failed"):
            mark = "" if event.state == "done" else "  FAILED"
            click.echo(f"{event.phase:<{WIDTH}} {event.seconds:6.2f} s{mark}", err=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._screen is not None:
            self._screen.stop()


class _Live:
    """rich's progress display: a spinner for each phase until it ends."""

    def __init__(self) -> None:
        # rich costs 60 ms to import, which only a terminal is worth.
        from rich.progress import Progress as Bars  # noqa: PLC0415
        from rich.progress import SpinnerColumn, TextColumn  # noqa: PLC0415

        from lab.console import err  # noqa: PLC0415

        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn(f"{{task.description:<{WIDTH}}}"),
            TextColumn("{task.fields[took]:>8}"),
            console=err,
        )
        self._rows: dict[str, Any] = {}
        self._bars.start()

    def tell(self, event: PhaseEvent) -> None:
        if event.state == "started":
            self._rows[event.phase] = self._bars.add_task(event.phase, total=1, took="")
        elif event.state == "done":
            took = f"{event.seconds:.2f} s"
            self._bars.update(self._rows[event.phase], completed=1, took=took)
        else:
            self._bars.update(self._rows[event.phase], took="[red]failed")

    def stop(self) -> None:
        self._bars.stop()
