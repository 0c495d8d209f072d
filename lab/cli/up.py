"""`lab up` and `lab down`: labs that outlive the command."""

from __future__ import annotations

import signal

import click

from lab.cli.options import as_json, name_option, output_option, settings
from lab.cli.progress import Progress
from lab.errors import InputError
from lab.sandbox.cgroup import Cgroup
from lab.sandbox.ending import end
from lab.sandbox.launch import launch
from lab.sandbox.listing import summaries
from lab.sandbox.rundir import RunDir, require_root
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


@click.command()
@click.argument("lab", required=False)
@name_option
@click.option("--all", "everything", is_flag=True, help="Every lab of this machine.")
def down(lab: str | None, name: str | None, everything: bool) -> None:
    """End LAB (the only one otherwise) and return when nothing is left of it."""
    require_root()
    labs = [summary.name for summary in summaries()] if everything else [lab or name or _only()]
    for each in labs:
        _end(each)
        click.echo(f"lab {each} is gone")


def _only() -> str:
    """The only running lab, or the only dead one."""
    labs = summaries()
    names = [lab.name for lab in labs if lab.state != "dead"] or [lab.name for lab in labs]
    if len(names) == 1:
        return names[0]
    if not names:
        raise InputError("there is no lab to end")
    raise InputError(f"there are several labs: {', '.join(names)}; name one, or say --all")


def _end(name: str) -> None:
    run = RunDir.of(name)
    if not (run.path.exists() or Cgroup.of(name).path.exists()):
        known = ", ".join(summary.name for summary in summaries()) or "none"
        raise InputError(f"there is no lab named {name!r}; there are: {known}")
    end(run)
