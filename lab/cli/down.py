"""`lab down`: the end of a lab, in a module of its own, for half of its time would be imports."""

from __future__ import annotations

import click

from lab.cli.options import name_option
from lab.errors import InputError
from lab.sandbox.cgroup import Cgroup
from lab.sandbox.ending import end
from lab.sandbox.listing import summaries
from lab.sandbox.rundir import RunDir, require_root


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
