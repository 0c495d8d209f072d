"""`lab kubectl`, `vtysh`, `cilium`, `hubble`: the tools of the trade, each where it belongs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from lab.cli.enter import become
from lab.cli.options import OTHERS_WORDS, tool_name_option, words_argument
from lab.errors import InputError
from lab.sandbox.handle import Lab
from lab.topology.plan import PlannedNode

INPUT_FILE = "--input-file"
"""The flag of `hubble observe` that names a file."""

TOOL = {**OTHERS_WORDS, "help_option_names": ["-h", "--help"]}
"""--help as the first word is ours and needs no lab; behind another word it is the tool's."""


@click.command(context_settings=TOOL)
@tool_name_option
@words_argument
def kubectl(name: str | None, words: tuple[str, ...]) -> None:
    """kubectl from the management node's network, with the files of this host.

    \b
    lab kubectl get nodes,services,pods -A
    lab kubectl -n kube-system get pods
    lab kubectl help                          what else there is
    """
    node = Lab.find(name).control_node()
    become(node.entry.on_wire(["kubectl", *words]), node.environment)


@click.command(context_settings=TOOL)
@tool_name_option
@click.argument("node")
@words_argument
def vtysh(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """FRR's shell on NODE: one command, options of vtysh, or neither.

    \b
    lab vtysh bgp-router1
    lab vtysh bgp-router1 'show bgp summary'
    lab vtysh bgp-router1 --help              vtysh's own options
    """
    lab = Lab.find(name)
    inside = lab.node(node)
    _refuse_unless(lab, node, "FRR", lambda planned: bool(planned.daemons))
    rest = words if not words or words[0].startswith("-") else ("-c", " ".join(words))
    become(inside.entry.inside(["vtysh", *rest]), inside.environment)


@click.command(context_settings=TOOL)
@tool_name_option
@click.argument("node")
@words_argument
def cilium(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """The cilium command on NODE.

    \b
    lab cilium k8s-worker1 bpf lb list
    lab cilium k8s-worker1 --help             what else there is
    """
    lab = Lab.find(name)
    inside = lab.node(node)
    _refuse_unless(lab, node, "Cilium", lambda planned: planned.is_kube)
    become(inside.entry.inside(["cilium", *words]), inside.environment)


@click.command(context_settings=TOOL)
@tool_name_option
@words_argument
def hubble(name: str | None, words: tuple[str, ...]) -> None:
    """The hubble command on the management node: observe, status, list, watch, record, config.

    \b
    lab hubble observe --follow
    lab hubble list nodes
    lab hubble observe --help                 its filters
    """
    node = Lab.find(name).control_node()
    become(node.entry.inside(["hubble", *with_hosts_file(words)]), node.environment)


def with_hosts_file(words: Sequence[str]) -> list[str]:
    """The words, with the file that --input-file names opened here and handed on as input.

    The lab has a /tmp and a /run of its own. InputError when the file cannot be read.
    """
    left, handed = iter(words), []
    for word in left:
        flag, equals, name = word.partition("=")
        handed.append(flag if flag == INPUT_FILE else word)
        if flag == INPUT_FILE and (name := name if equals else next(left, "")):
            _become_input(name)
            handed.append("-")
    return handed


def _become_input(name: str) -> None:
    if name == "-":
        return
    try:
        with Path(name).open("rb") as file:
            os.dup2(file.fileno(), 0)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from error


def _refuse_unless(lab: Lab, node: str, what: str, runs: Callable[[PlannedNode], bool]) -> None:
    """InputError when the node does not run what was asked for, with the nodes that do."""
    if not runs(lab.plan.node(node)):
        known = ", ".join(planned.name for planned in lab.plan.nodes if runs(planned)) or "none"
        raise InputError(f"{node} runs no {what}; nodes that do: {known}")
