"""`lab fault`: break something in a running lab on purpose, mend it, and count the cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import click

from lab import wait
from lab.cli.options import as_json, name_option, output_option
from lab.errors import InputError
from lab.faults import full_tables, nodes, standing, wires
from lab.faults.fault import Fault
from lab.sandbox.handle import Lab
from lab.scenario.load.measured import measured

FAULTS: Mapping[str, Callable[..., Fault]] = {
    "link-down": wires.link_down,
    "loss": wires.loss,
    "corruption": wires.corruption,
    "rate-limit": wires.rate_limit,
    "police": wires.police,
    "delay": wires.delay,
    "mtu": wires.mtu,
    "partition": wires.partition,
    "node-crash": nodes.node_crash,
    "agent-kill": nodes.agent_kill,
    "api-server-kill": nodes.api_server_kill,
    "relay-kill": nodes.relay_kill,
    "frr-kill": nodes.frr_kill,
    "session-reset": nodes.session_reset,
    "nat-full": full_tables.nat_full,
    "conntrack-full": full_tables.conntrack_full,
}


NONE_STANDS = "no fault stands"


class InOrder(click.Group):
    """Lists its verbs in the order in which they were added."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder)
def fault() -> None:
    """Break something in a running lab, until it is mended.

    \b
    lab fault link-down k8s-worker2
    lab fault link-down k8s-worker2 --mend
    lab fault node-crash k8s-worker2 --for 5 --measure 172.16.10.0
    lab fault partition client1,client2 k8s-worker1
    """


@fault.command("list")
@name_option
@output_option
def list_standing(name: str | None, output: str) -> None:
    """List the faults that stand in a lab, oldest first."""
    words = [one.words for one in standing.standing(Lab.find(name))]
    if output == "json":
        as_json(words)
    else:
        click.echo("\n".join(words) or NONE_STANDS)


@fault.command()
@name_option
def clear(name: str | None) -> None:
    """Mend all faults that stand in a lab, the newest first."""
    mended = standing.clear(Lab.find(name))
    click.echo("\n".join(f"mended: {one.words}" for one in mended) or NONE_STANDS)


def _command(name: str, make: Callable[..., Fault]) -> click.Command:
    """The verb of a fault: its parameters are the words, in order."""

    @name_option
    @click.option("--mend", is_flag=True, help="Undo the fault instead.")
    @click.option(
        "--for",
        "seconds",
        metavar="SECONDS",
        type=click.FloatRange(0),
        help="Mend it after so long.",
    )
    @click.option("--measure", metavar="ADDRESS", help="Load this service; tell the cost.")
    @output_option
    def act(
        name: str | None,
        mend: bool,
        seconds: float | None,
        measure: str | None,
        output: str,
        **words: Any,
    ) -> None:
        if mend and (seconds is not None or measure is not None):
            raise click.UsageError("--mend undoes a fault: --for and --measure go with one.")
        chosen, lab = make(**words), Lab.find(name)
        if mend:
            standing.find(lab, chosen.words).mend(lab)
            _tell(output, f"mended: {chosen.words}", mended=chosen.words)
        elif measure is not None:
            _measure(lab, chosen, measure, seconds or 0.0, output)
        else:
            _strike(lab, chosen, seconds, output)

    words = inspect.cleandoc(make.__doc__ or "")
    command = click.command(name, help=words, short_help=words.partition("\n")[0])(act)
    command.params = [*_arguments(make), *command.params]
    return command


def _arguments(make: Callable[..., Fault]) -> Iterator[click.Parameter]:
    for parameter in inspect.signature(make).parameters.values():
        kind = str(parameter.annotation)
        optional = parameter.default is not parameter.empty
        yield click.Argument(
            [parameter.name],
            type=click.INT if kind == "int" else click.STRING,
            callback=_split if kind.startswith("Iterable") else None,
            **({"default": parameter.default} if optional else {}),
        )


def _split(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    """A group of nodes is written with commas."""
    return value.split(",")


def _strike(lab: Lab, chosen: Fault, seconds: float | None, output: str) -> None:
    if seconds is None:
        standing.strike(lab, chosen)
        _tell(output, chosen.words, fault=chosen.words)
        return
    with standing.struck(lab, chosen):
        if output == "text":
            click.echo(chosen.words)
        wait.pause(seconds)
    _tell(output, f"mended after {seconds:g} s", fault=chosen.words, seconds=seconds)


def _tell(output: str, words: str, **facts: object) -> None:
    if output == "json":
        as_json(facts)
    else:
        click.echo(words)


def _measure(lab: Lab, chosen: Fault, address: str, seconds: float, output: str) -> None:
    host, port = _service(address)
    bill = measured(lab, chosen, host, port, seconds)
    if output == "json":
        as_json({"fault": chosen.words, "seconds": seconds, **bill.to_json()})
        return
    click.echo(f"{chosen.words}, for {seconds:g} s")
    for line in bill.lines():
        click.echo(f"  {line}")


def _service(address: str) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; port 80 unless said otherwise."""
    host, port = address, "80"
    if address.count(":") == 1 or "]:" in address:
        host, _, port = address.rpartition(":")
    try:
        service = str(ip_address(host.strip("[]"))), int(port)
    except ValueError as exc:
        raise InputError(f"a service is ADDRESS or ADDRESS:PORT, not {address!r}") from exc
    if not 0 < service[1] < 2**16:
        raise InputError(f"a port is a number from 1 to 65535, not {port}")
    return service


for _name, _make in FAULTS.items():
    fault.add_command(_command(_name, _make))
