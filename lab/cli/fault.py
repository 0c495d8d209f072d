"""`lab fault`: break something in a running lab on purpose, mend it, and count the cost."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from lab import wait
from lab.cli.options import as_json, name_option, output_option
from lab.errors import InputError
from lab.sandbox.handle import Lab
from lab.scenario import faults
from lab.scenario.faults import Fault
from lab.scenario.loaded import loaded

FAULTS: Mapping[str, Callable[..., Fault]] = {
    "link-down": faults.link_down,
    "node-crash": faults.node_crash,
    "agent-stop": faults.agent_stop,
    "api-server-stop": faults.api_server_stop,
    "frr-kill": faults.frr_kill,
    "bgp-stop": faults.bgp_stop,
    "session-reset": faults.session_reset,
    "mtu": faults.mtu,
    "rate-limit": faults.rate_limit,
    "loss": faults.loss,
    "delay": faults.delay,
    "partition": faults.partition,
}

AFTERWARDS = 3.0
"""Seconds for which a measured load goes on after the fault is mended."""


def _usage(name: str) -> str:
    parameters = inspect.signature(FAULTS[name]).parameters.values()
    words = [
        p.name.upper() if p.default is p.empty else f"[{p.name.upper()}={p.default}]"
        for p in parameters
    ]
    return " ".join([name, *words])


def _listed() -> str:
    """Every fault with its words, and what it is, for the help."""
    entries = (
        f"{_usage(name)}\n    {(make.__doc__ or '').partition(chr(10))[0]}"
        for name, make in FAULTS.items()
    )
    return "\b\n" + "\n\b\n".join(entries)


@click.command(epilog=_listed())
@name_option
@click.option("--mend", is_flag=True, help="Undo the fault instead.")
@click.option("--for", "seconds", type=click.FloatRange(0), help="Mend it after so many seconds.")
@click.option("--measure", metavar="ADDRESS", help="Load this service meanwhile; tell the cost.")
@output_option
@click.argument("fault", type=click.Choice(list(FAULTS)), metavar="FAULT")
@click.argument("words", nargs=-1)
def fault(
    name: str | None,
    mend: bool,
    seconds: float | None,
    measure: str | None,
    output: str,
    fault: str,
    words: tuple[str, ...],
) -> None:
    """Break something in a running lab: the FAULT with its WORDS, until it is mended.

    \b
    lab fault link-down k8s-worker2
    lab fault link-down k8s-worker2 --mend
    lab fault node-crash k8s-worker2 --for 5 --measure 172.16.10.0
    """
    chosen = _make(fault, words)
    lab = Lab.find(name)
    if mend:
        chosen.mend(lab)
        click.echo(f"mended: {chosen.words}")
        return
    if measure is not None:
        _measured(lab, chosen, measure, seconds or 0.0, output)
        return
    chosen.strike(lab)
    click.echo(chosen.words)
    if seconds is not None:
        try:
            wait.pause(seconds)
        finally:
            chosen.mend(lab)
        click.echo(f"mended after {seconds:g} s")


def _make(name: str, words: tuple[str, ...]) -> Fault:
    """Build a fault from words; InputError tells how it is written."""
    make = FAULTS[name]
    parameters = inspect.signature(make).parameters
    try:
        values: list[Any] = [
            _value(str(parameter.annotation), word)
            for parameter, word in zip(parameters.values(), words, strict=False)
        ]
        if len(words) > len(parameters):
            raise ValueError
        return make(*values)
    except (TypeError, ValueError) as exc:
        raise InputError(f"it is written: lab fault {_usage(name)}") from exc


def _value(annotation: str, word: str) -> object:
    if annotation == "int":
        return int(word)
    return word.split(",") if annotation.startswith("Iterable") else word


def _measured(lab: Lab, fault: Fault, address: str, seconds: float, output: str) -> None:
    host, _, port = address.partition(":")
    with loaded(lab, host, int(port or 80), kept=10) as load:
        start = time.monotonic()
        try:
            fault.strike(lab)
            wait.pause(seconds)
        finally:
            fault.mend(lab)
        wait.pause(AFTERWARDS)
        cost = load.cost(start)
    if output == "json":
        as_json({"fault": fault.words, "seconds": seconds, **vars(cost)})
    else:
        click.echo(f"{fault.words}, for {seconds:g} s: {cost}")
