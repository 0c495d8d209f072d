"""`lab kubectl`, `vtysh`, `cilium`, `hubble`: the tools of the trade, each where it belongs."""

from __future__ import annotations

import click

from lab.cli.enter import become
from lab.cli.options import OTHERS_WORDS, tool_name_option, words_argument
from lab.sandbox.handle import Lab

TOOL = {**OTHERS_WORDS, "help_option_names": []}
"""--help is the tool's as well."""


@click.command(context_settings=TOOL, add_help_option=False)
@tool_name_option
@words_argument
def kubectl(name: str | None, words: tuple[str, ...]) -> None:
    """kubectl from the management node's network, with the files of this host."""
    node = Lab.find(name).control_node()
    become(node.entry.on_wire(["kubectl", *words]), node.environment)


@click.command(context_settings=TOOL, add_help_option=False)
@tool_name_option
@click.argument("node")
@words_argument
def vtysh(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """FRR's shell on NODE: one command (`show bgp summary`), options of vtysh, or neither."""
    inside = Lab.find(name).node(node)
    rest = words if not words or words[0].startswith("-") else ("-c", " ".join(words))
    become(inside.entry.inside(["vtysh", *rest]), inside.environment)


@click.command(context_settings=TOOL, add_help_option=False)
@tool_name_option
@click.argument("node")
@words_argument
def cilium(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """The cilium command on NODE, such as `bpf lb list`."""
    inside = Lab.find(name).node(node)
    become(inside.entry.inside(["cilium", *words]), inside.environment)


@click.command(context_settings=TOOL, add_help_option=False)
@tool_name_option
@words_argument
def hubble(name: str | None, words: tuple[str, ...]) -> None:
    """The hubble command on the management node, such as `observe --follow`."""
    node = Lab.find(name).control_node()
    become(node.entry.inside(["hubble", *words]), node.environment)
