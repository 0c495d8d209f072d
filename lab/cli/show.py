"""`lab ps`, `lab list`, `lab graph`: what runs, what could, and how it looks."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from lab import shell
from lab.cli.options import as_json, name_option, output_option, settings
from lab.sandbox.handle import Lab
from lab.sandbox.listing import Summary, summaries
from lab.sandbox.rundir import require_root
from lab.scenario.find import FOLDER as SCENARIOS
from lab.topology import drawing
from lab.topology.load import DIRECTORY as TOPOLOGIES
from lab.topology.load import load
from lab.topology.resolve import resolve

COLUMNS = ("NAME", "TOPOLOGY", "STATE", "NODES", "AGE", "KEEPER")
NODE_COLUMNS = ("NODE", "KIND", "ADDRESS", "PID")
SERVICE_COLUMNS = ("SERVICE", "PID", "RESTARTS")


@click.command()
@click.argument("lab", required=False)
@output_option
def ps(lab: str | None, output: str) -> None:
    """List the labs of this machine (a dead one has left only its logs), or what runs in LAB.

    KEEPER is the process to signal by hand, should it ever be needed: its lab ends with it.
    The other process ids are the lab's own, as `ps` in a node shows them.
    """
    require_root()
    if lab is not None:
        _show_lab(Lab.find(lab), output)
        return
    labs = summaries()
    if output == "json":
        as_json([vars(each) for each in labs])
    else:
        click.echo(table([COLUMNS, *map(_row, labs)]))


def _show_lab(lab: Lab, output: str) -> None:
    status = lab.ask("status")
    if output == "json":
        as_json(status)
        return
    nodes = [
        (node.name, node.kind.value, str(node.address), str(status["nodes"].get(node.name, "down")))
        for node in lab.plan.nodes
    ]
    click.echo(table([NODE_COLUMNS, *nodes]))
    services = [
        (name, str(pid), str(status["restarts"].get(name, 0)))
        for name, pid in status["services"].items()
    ]
    if services:
        click.echo("\n" + table([SERVICE_COLUMNS, *services]))


@click.command("list")
@output_option
def catalogue(output: str) -> None:
    """List the topologies (for `lab up`) and scenarios (for `lab run`) there are."""
    found = {
        "topologies": _summaries(TOPOLOGIES, "_"),
        "scenarios": _summaries(SCENARIOS, "-"),
    }
    if output == "json":
        as_json(found)
        return
    for kind, entries in found.items():
        click.echo(f"{kind}:")
        for name, words in entries.items():
            click.echo(f"  {name:<20} {words}".rstrip())


@click.command()
@click.argument("topology", required=False)
@click.option(
    "--option", "-O", "pairs", metavar="KEY=VALUE", multiple=True, help="For the topology."
)
@name_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "svg", "dot", "json"]),
    default="text",
    show_default=True,
)
def graph(topology: str | None, pairs: tuple[str, ...], name: str | None, output: str) -> None:
    """Draw a TOPOLOGY (a name of `lab list`, or a file); without one, that of a running lab.

    \b
    lab graph basic
    lab graph basic -O workers=2 -o svg > basic.svg
    """
    plan = resolve(load(topology, **settings(pairs))) if topology else Lab.find(name).plan
    if output == "json":
        as_json(plan.to_json())
    elif output == "svg":
        click.echo(shell.run(["dot", "-Tsvg"], input=drawing.dot(plan)).out, nl=False)
    else:
        click.echo(drawing.text(plan) if output == "text" else drawing.dot(plan), nl=False)


def _row(lab: Summary) -> tuple[str, ...]:
    return (lab.name, lab.topology, lab.state, str(lab.nodes), age(lab.seconds), str(lab.keeper))


def age(seconds: float) -> str:
    """Seconds as kubectl shows ages: 42s, 5m12s, 3h4m, 2d5h."""
    whole = int(seconds)
    for size, unit, below, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // below}{small}"
    return f"{whole}s"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as left-aligned columns, three spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _summaries(directory: Path, joint: str) -> dict[str, str]:
    """Name -> first line of its docstring, of each file; the files are read, not run."""
    files: Iterable[Path] = sorted(directory.glob("[!_]*.py"))
    return {file.stem.replace("_", joint): _first_line(file) for file in files}


def _first_line(file: Path) -> str:
    try:
        words = ast.get_docstring(ast.parse(file.read_text()))
    except SyntaxError as error:
        return f"(cannot be read: line {error.lineno})"
    return (words or "").partition("\n")[0]
