"""Entry of the `hubble` command."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence

from lab import output
from lab.errors import FileError, InputError, LabError
from lab.hubble.cli import (
    arguments,
    completion,
    connection,
    listing,
    observe,
    recorder,
    settings,
    status,
    watch,
)
from lab.hubble.cli.parsing import Parser

EXAMPLES = """\
examples:
  hubble observe --namespace default --follow
  hubble observe --last 5 --to-port 80 --not --from-label reserved:host
  hubble observe --verdict DROPPED -o json
  hubble status
"""

VERSION = (
    f"hubble of the lab, as of Cilium 1.19, on Python {platform.python_version()}"
    f" {sys.platform}/{platform.machine()}"
)

FAILED = 1
"""The one exit code of the public command for all that goes wrong: cilium's hubble/main.go."""

OBSERVED = {
    "flows": observe.flows,
    "agent-events": observe.agent_events,
    "debug-events": observe.debug_events,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        options = parser().command(sys.argv[1:] if words is None else words)
        options.run(options)
        sys.stdout.flush()
    except LabError as exc:
        sys.stdout.flush()
        sys.stderr.write(f"error: {exc}\n")
        return FAILED
    except OSError as exc:
        sys.stderr.write(f"error: {FileError.of(exc)}\n")
        output.give_up()
        return FAILED
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="hubble",
        description="Observe the flows of the lab's nodes.",
        epilog=EXAMPLES,
        formatter_class=arguments.Help,
        allow_abbrev=False,
    )
    arguments.add_debug(top, default=False)
    connection.add_arguments(top, defaults=True)
    top.add_argument("--version", action="version", version=VERSION)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _add_observe(commands)
    arguments_of_status = arguments.command(
        commands, "status", status.run, "Health and fill level of the server"
    )
    arguments_of_status.add_argument("-o", "--output", choices=status.OUTPUTS, default="compact")
    _add_lists(commands)
    watches = _group(commands, "watch", "Watch changes")
    arguments.command(
        watches, "peers", watch.peers, "Changes of the set of nodes", aliases=["peer"]
    )
    recorder.add_arguments(
        arguments.command(
            commands, "record", recorder.run, "Record packets into a file on the node"
        )
    )
    settings.add_arguments(_parser(commands, "config", "What the command assumes without flags"))
    shells = _group(commands, "completion", "A script for the shell to complete words")
    _parser(shells, "bash", "For bash").set_defaults(run=completion.write, whole=top)
    _parser(commands, "version", "Print the version").set_defaults(run=_version)
    return top


def _version(_options: argparse.Namespace) -> None:
    sys.stdout.write(f"{VERSION}\n")


def _add_observe(commands: argparse._SubParsersAction[Parser]) -> None:
    flows = arguments.command(
        commands, "observe", observe.flows, "Flows (or observe agent-events, debug-events)"
    )
    flows.usage = f"hubble observe [{'|'.join(OBSERVED)}] [FLAG ...]"
    arguments.add_selectors(flows)
    arguments.add_filters(flows)
    arguments.add_formatting(flows)
    arguments.add_flow_formatting(flows)
    # Without choices: a flag with a typing mistake would else be blamed on the word behind it.
    flows.add_argument("what", nargs="?", default="flows", metavar="|".join(OBSERVED))
    flows.set_defaults(run=_observe)


def _observe(options: argparse.Namespace) -> None:
    if options.what not in OBSERVED:
        raise InputError(f"cannot observe {options.what!r}: want {', '.join(OBSERVED)}")
    OBSERVED[options.what](options)


def _add_lists(commands: argparse._SubParsersAction[Parser]) -> None:
    lists = _group(commands, "list", "List nodes or namespaces")
    for name, run, text in (
        ("nodes", listing.nodes, "Nodes with their state and fill level"),
        ("namespaces", listing.namespaces, "Namespaces with a flow in the last hour"),
    ):
        parser = arguments.command(lists, name, run, text, aliases=[name[:-1]])
        parser.add_argument("-o", "--output", choices=listing.OUTPUTS, default="table")


def _group(
    commands: argparse._SubParsersAction[Parser], name: str, text: str
) -> argparse._SubParsersAction[Parser]:
    return _parser(commands, name, text).add_subparsers(metavar="WHAT", required=True)


def _parser(commands: argparse._SubParsersAction[Parser], name: str, text: str) -> Parser:
    return commands.add_parser(name, help=text, description=text)
