"""`lab exec`, `lab shell`, `lab capture`: programs in a node, which replace this process.

So their exit code, their terminal and their signals are the command's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from lab.cli.options import OTHERS_WORDS, name_option, tool_name_option, words_argument
from lab.sandbox.handle import Lab

WIDEST = 262144
"""Bytes of a packet that tcpdump keeps: all of it, with segmentation offloads too."""


def become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process."""
    os.execvpe(argv[0], list(argv), dict(environment))


@click.command("exec", context_settings=OTHERS_WORDS)
@tool_name_option
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def execute(name: str | None, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in NODE; its exit code is this one's.

    \b
    lab exec client1 -- curl -s http://172.16.10.0
    """
    # click leaves a "--" that follows NODE among the words.
    words = command[1:] if command[0] == "--" else command
    if not words:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    if words == command and words[0].startswith("-"):
        raise click.UsageError(f"Options of lab exec come before NODE: {words[0]} is behind it.")
    inside = Lab.find(name).node(node)
    become(inside.entry.inside(words), inside.environment)


@click.command()
@name_option
@click.argument("node")
def shell(name: str | None, node: str) -> None:
    """Open a shell in NODE, with the lab's commands on its PATH."""
    inside = Lab.find(name).node(node)
    become(inside.entry.inside(["bash"]), inside.environment)


@click.command(context_settings=OTHERS_WORDS)
@tool_name_option
@click.option("-w", "file", type=click.Path(dir_okay=False), help="Write packets to a pcap file.")
@click.argument("node")
@click.argument("interface", default="any")
@words_argument
def capture(
    name: str | None, file: str | None, node: str, interface: str, words: tuple[str, ...]
) -> None:
    """Capture packets on NODE's INTERFACE (all by default), with tcpdump, until Ctrl-C.

    WORDS are tcpdump's own: options and a filter.

    \b
    lab capture bgp-router1 enp7s0 tcp port 179
    lab capture k8s-worker1 eth0 -w vxlan.pcap udp port 8472
    """
    inside = Lab.find(name).node(node)
    target = ["-w", file, "-U"] if file else ["-l"]
    tcpdump = ["tcpdump", "-n", "-Z", "root", "-i", interface, *target, *words]
    # With the host's files: what -w writes is to outlive the lab.
    become(inside.entry.on_wire(tcpdump), os.environ)
