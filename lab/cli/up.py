"""`lab up`: a lab that outlives the command."""

from __future__ import annotations

import signal

import click

from lab.cli.options import as_json, output_option, settings
from lab.cli.progress import Progress
from lab.sandbox.launch import launch
from lab.topology.load import load
from lab.topology.resolve import resolve


@click.command()
@click.argument("topology")
@click.option("--name", "-n", "name", metavar="LAB", help="Its name; the topology's otherwise.")
@click.option(
    "--option", "-O", "pairs", metavar="KEY=VALUE", multiple=True, help="For the topology."
)
@output_option
def up(topology: str, name: str | None, pairs: tuple[str, ...], output: str) -> None:
    """Bring the lab of a TOPOLOGY (a name of `lab list`, or a file) up and leave it running.

    \b
    lab up basic
    lab up basic --name second -O workers=2 -O profile=modern
    """
    plan = resolve(load(topology, **settings(pairs)))
    with launch(plan, name or plan.name) as lab:
        with Progress() as progress:
            seconds = lab.follow(progress.tell)
        # Ctrl-C has ended the lab up to here; from here on it is up, and that is what is said.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        lab.let_go()
    if output == "json":
        as_json({"name": lab.run.name, "seconds": seconds, "phases": progress.phases})
    else:
        click.echo(f"lab {lab.run.name} is up: {len(plan.nodes)} nodes in {seconds:.1f} s")
