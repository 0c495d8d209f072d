"""`lab run`: scenarios, one after the other or side by side, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from lab.cli.options import as_json, output_option
from lab.console import err, out
from lab.errors import InputError
from lab.sandbox.place import Place
from lab.sandbox.rundir import RunDir, require_root
from lab.scenario import find
from lab.scenario.running.apart import run_apart
from lab.scenario.running.batch import Turn, play, turns
from lab.scenario.running.labs import bring_up
from lab.scenario.running.runner import OnPhase, Request
from lab.scenario.running.runner import run as run_scenario
from lab.scenario.telling import artifacts, junit
from lab.scenario.telling.outcome import ScenarioResult, Verdict
from lab.scenario.telling.report import Report
from lab.scenario.telling.terminal import Terminal, overview


@dataclass(frozen=True)
class Wishes:
    """What the options ask for."""

    keep: bool
    artifacts: Path | None
    report: Report


@click.command()
@click.argument("scenarios", nargs=-1, required=True, metavar="NAME...")
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
@click.option(
    "--name", "-n", "lab", metavar="LAB", help="Name of the lab; the scenario's otherwise."
)
@click.option("--jobs", "-j", type=click.IntRange(1), default=1, help="Labs side by side.")
@click.option("--repeat", type=click.IntRange(1), default=1, help="Run everything so many times.")
@click.option("--shuffle", metavar="SEED", type=int, help="In another order, that SEED decides.")
@output_option
@click.option(
    "--junit",
    "xml",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write JUnit XML to a file.",
)
@click.option(
    "--artifacts",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where a failed lab leaves its configurations, logs, tables, flows and packets.",
)
def run(  # noqa: PLR0913, PLR0917 - one for each option
    scenarios: tuple[str, ...],
    keep: bool,
    lab: str | None,
    jobs: int,
    repeat: int,
    shuffle: int | None,
    output: str,
    xml: Path | None,
    folder: Path | None,
) -> int:
    """Run scenarios by NAME, by glob, or `all`: each brings its lab up, shows, checks, removes it.

    \b
    lab run basic
    lab run basic --keep              then: lab shell client1
    lab run all --jobs 2 --junit results.xml
    lab run 'e*' --repeat 20 --shuffle 1 --artifacts failed/
    """
    require_root()
    names = find.chosen(scenarios)
    planned = turns(names, repeat=repeat, lab=lab, jobs=jobs, shuffle=shuffle)
    for turn in planned:
        RunDir.of(turn.lab)  # refuses what cannot be a lab's name before anything is said
    for place in (xml and xml.parent, folder):
        _make(place)
    if keep and len(planned) > 1:
        raise InputError("--keep leaves one lab up: choose one scenario, one time")
    quiet = output == "json" or jobs > 1
    wishes = Wishes(keep, folder, Report() if quiet else Terminal(out, err))
    results = []
    for result in play(planned, lambda turn: _one(turn, wishes, apart=jobs > 1), jobs=jobs):
        results.append(result)
        if jobs > 1 and output == "text":
            overview(out, [result])
    _conclude(results, output, xml, keep=keep, summed=len(planned) > 1 and jobs == 1)
    if all(result.verdict is Verdict.HELD for result in results):
        return 0
    if folder is None and not keep:
        click.echo("to look into it: run it again with --keep, or with --artifacts DIR", err=True)
    return 1


def _make(folder: Path | None) -> None:
    """A folder for what comes at the end; InputError now, not after all labs have run."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}") from error


def _one(turn: Turn, wishes: Wishes, *, apart: bool) -> ScenarioResult:
    if apart:
        return run_apart(turn, wishes.artifacts)
    request = Request(
        turn.scenario, find.load(turn.scenario), turn.lab, find.FOLDER, keep=wishes.keep
    )
    folder = wishes.artifacts
    if folder is None:
        return run_scenario(request, bring_up, wishes.report, lambda _: "")
    run_dir, kept = RunDir.of(turn.lab).path, folder / turn.lab

    @contextmanager
    def recorded(request: Request, on_phase: OnPhase) -> Iterator[Place]:
        with bring_up(request, on_phase) as lab, artifacts.recording(lab, run_dir):
            yield lab

    def collect(lab: Place) -> str:
        return artifacts.collect(lab, run_dir, kept)

    return run_scenario(request, recorded, wishes.report, collect)


def _conclude(
    results: Sequence[ScenarioResult], output: str, xml: Path | None, *, keep: bool, summed: bool
) -> None:
    if xml is not None:
        junit.write(results, xml)
    if output == "json":
        as_json([result.to_json() for result in results])
        return
    if summed:
        overview(out, results)
    if keep and not results[0].problem:
        name = results[0].lab
        click.echo(f"lab {name} is still up: `lab shell client1`, `lab hubble observe`; ", nl=False)
        click.echo(f"end it with `lab down {name}`")
