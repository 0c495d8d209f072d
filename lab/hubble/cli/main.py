"""Entry of the `hubble` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lab.errors import LabError
from lab.hubble.cli import arguments, listing, observe, recorder, status, watch

EXAMPLES = """\
examples:
  hubble observe --namespace default --follow
  hubble observe --last 5 --to-port 80 --not --from-label reserved:host
  hubble observe --verdict DROPPED -o json
  hubble status
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        options = parser().parse_args(words)
        options.run(options)
    except LabError as exc:
        sys.stdout.flush()
        sys.stderr.write(f"error: {exc}\n")
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="hubble",
        description="Observe the flows of the lab's nodes.",
        epilog=EXAMPLES,
        formatter_class=arguments.Help,
        allow_abbrev=False,
    )
    top.add_argument("-D", "--debug", action="store_true", help="news of nodes, too")
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
    return top


def _add_observe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    flows = arguments.command(
        commands, "observe", observe.flows, "Flows (or observe agent-events, debug-events)"
    )
    arguments.add_selectors(flows)
    arguments.add_filters(flows)
    arguments.add_formatting(flows)
    arguments.add_flow_formatting(flows)
    flows.add_argument(
        "what", nargs="?", choices=("flows", "agent-events", "debug-events"), default="flows"
    )
    flows.set_defaults(run=_observe)


def _observe(options: argparse.Namespace) -> None:
    run = {
        "flows": observe.flows,
        "agent-events": observe.agent_events,
        "debug-events": observe.debug_events,
    }
    run[options.what](options)


def _add_lists(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lists = _group(commands, "list", "List nodes or namespaces")
    for name, run, text in (
        ("nodes", listing.nodes, "Nodes with their state and fill level"),
        ("namespaces", listing.namespaces, "Namespaces with a flow in the last hour"),
    ):
        parser = arguments.command(lists, name, run, text, aliases=[name[:-1]])
        parser.add_argument("-o", "--output", choices=listing.OUTPUTS, default="table")


def _group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    group = commands.add_parser(name, help=text, description=text)
    return group.add_subparsers(metavar="WHAT", required=True)
