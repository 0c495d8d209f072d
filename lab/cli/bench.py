"""`lab bench`: measurements beside what they are held against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from lab.bench.catalog import BENCHMARKS
from lab.bench.model import ROUNDS, Row
from lab.cli.options import output_option
from lab.console import tell
from lab.errors import InputError

NAMES = [benchmark.name for benchmark in BENCHMARKS]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--rounds", type=click.IntRange(min=1), default=ROUNDS, show_default=True)
@output_option
def bench(names: tuple[str, ...], rounds: int, output: str) -> None:
    """Measure, each thing in turns with what it is compared with, and print the medians' ratios.

    A missed target is no failure: the exit code is 0 when everything could be measured.

    \b
    lab bench
    lab bench bringup memory --rounds 3
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise InputError(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows: list[Row] = []
    for benchmark in BENCHMARKS:
        if not names or benchmark.name in names:
            tell(f"{benchmark.name}: {benchmark.what} ({rounds} rounds)")
            rows += benchmark.measure(rounds)
    if output == "json":
        click.echo(json.dumps([_plain(row) for row in rows], indent=1))
    else:
        for line in _table(rows):
            click.echo(line)


def _plain(row: Row) -> dict[str, object]:
    return {**asdict(row), "ratio": row.ratio, "reached": row.reached}


HEADINGS = ("measured", "lab", "compared with", "", "ratio", "target")
LEFT = (0, 3, 5)
"""Columns of words; the others are figures."""


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of a table, each column as wide as its widest cell."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (
            cell.ljust(width) if number in LEFT else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _figure(row.ours, row.unit),
        "" if row.other is None else _figure(row.other, row.unit),
        row.other_name,
        "" if row.ratio is None else f"{row.ratio:.2f}",
        _target(row),
    )


def _figure(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def _target(row: Row) -> str:
    unit = "" if row.ratio else f" {row.unit}"
    words = f"{'≤' if row.less_is_better else '≥'} {row.target:g}{unit}"
    return words if row.reached else f"missed {words}"
