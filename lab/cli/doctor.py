"""`lab doctor`: is this machine fit for a lab, and is nothing of any lab left on it?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from lab.console import out, say
from lab.doctor.features import kernel_features
from lab.doctor.finding import Finding, State
from lab.doctor.freeing import look_when_freed
from lab.doctor.host import Host
from lab.doctor.leaks import leaks, mends
from lab.doctor.machine import machine, tools
from lab.errors import LabError, MachineError
from lab.sandbox.rundir import RunDir, all_run_dirs, is_held

STYLES = {State.GOOD: "green", State.REDUCED: "yellow", State.ABSENT: "bold red"}
SETUP = "sudo python3 -m lab setup"


class LeakError(LabError):
    """Something of a lab that does not run is on the host, or something is new there."""

    def __init__(
        self, what: str, things: Mapping[str, Sequence[str]], mends: Sequence[str] = ()
    ) -> None:
        lines = [f"  {kind}: {thing}" for kind, all_ in things.items() for thing in all_]
        mending = [f"  to mend it: {mend}" for mend in mends]
        super().__init__("\n".join([f"{what}: {len(lines)}", *lines, *mending]))


@click.command()
@click.option("--leaks", "look_for_leaks", is_flag=True, help="Look for what dead labs left.")
@click.option("--save", type=click.Path(path_type=Path), help="Write a picture of the host.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare the host with a picture: anything new is an error.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def doctor(look_for_leaks: bool, save: Path | None, against: Path | None, output: str) -> None:
    """Check this machine: the kernel's features, the tools, memory; with --leaks what labs left.

    Exit code 0 when all is well, 1 when something is left over, 3 when the machine lacks
    something that the lab needs.

    \b
    lab doctor
    lab doctor --leaks
    lab doctor --save before.json; ...; lab doctor --against before.json
    """
    if os.geteuid() != 0:
        raise MachineError("only root can look at all of the machine", "sudo python3 -m lab doctor")
    if look_for_leaks or save or against:
        _examine_host(look_for_leaks, save, against, output)
    else:
        _examine_machine(output)


def _examine_machine(output: str) -> None:
    findings = [*machine(), *tools(), *kernel_features()]
    if output == "json":
        say(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _print(findings)
    absent = [finding.name for finding in findings if finding.state is State.ABSENT]
    if absent:
        raise MachineError(f"no lab can run here without: {', '.join(absent)}", SETUP)


def _print(findings: Sequence[Finding]) -> None:
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            say(group)
        out.print(f"  {finding.state.value:<8}", style=STYLES[finding.state], end="")
        say(f"{finding.name:<24} {finding.detail}".rstrip())


def _examine_host(
    look_for_leaks: bool, save: Path | None, against: Path | None, output: str
) -> None:
    if look_for_leaks:
        host, running = look_when_freed(_look, lambda seen: "BPF objects" in leaks(*seen))
    else:
        host, running = _look()
    dead = [run.name for run in all_run_dirs() if run.name not in running]
    if save:
        save.write_text(host.to_json())
    left = leaks(host, running) if look_for_leaks else {}
    before = Host.from_json(against.read_text(), str(against)) if against else host
    new = host.new_since(before)
    if output == "json":
        say(json.dumps({"running": running, "dead": dead, "left": left, "new": new}, indent=1))
    if left:
        raise LeakError("left behind by labs that do not run", left, mends(left))
    if new:
        raise LeakError(f"new since {against}", new)
    if output == "text":
        _tell_clean(host, running, dead)


def _look() -> tuple[Host, list[str]]:
    """The host, and the labs that run on it."""
    held_before = _held()
    host = Host.look()
    # A lab that ended meanwhile was running when the picture shows it.
    return host, sorted(held_before | _held())


def _held() -> set[str]:
    """The labs that run now."""
    return {run.name for run in all_run_dirs() if is_held(run)}


def _tell_clean(host: Host, running: Sequence[str], dead: Sequence[str]) -> None:
    for kind, things in host.things.items():
        say(f"  {len(things):5}  {kind}")
    say(f"labs running: {', '.join(running) or 'none'}; nothing is left of any other")
    for name in dead:
        say(f"lab {name} died; its logs are in {RunDir.of(name).path} until `lab down {name}`")
