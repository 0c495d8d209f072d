"""The verbs, loaded only when they are asked for, and what their errors become."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Sequence

import click

from lab import output
from lab.errors import FileError, LabError

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells have it."""

FAMILIES = {
    "Whole labs": {
        "run": (
            "lab.cli.run:run",
            "Run scenarios: each brings its lab up, shows, checks, removes it.",
        ),
        "up": ("lab.cli.up:up", "Bring a lab up and leave it running."),
        "down": ("lab.cli.down:down", "End a lab."),
        "ps": ("lab.cli.show:ps", "List the labs of this machine, or what runs in one."),
        "list": ("lab.cli.show:catalogue", "List the topologies and scenarios there are."),
        "graph": ("lab.cli.show:graph", "Draw a topology."),
    },
    "Inside a running lab": {
        "exec": ("lab.cli.enter:execute", "Run a command in a node."),
        "shell": ("lab.cli.enter:shell", "Open a shell in a node."),
        "capture": ("lab.cli.enter:capture", "Capture packets on a node, with tcpdump."),
        "fault": ("lab.cli.fault:fault", "Break something on purpose, mend it, count the cost."),
        "kubectl": ("lab.cli.tools:kubectl", "kubectl against the lab's API server."),
        "vtysh": ("lab.cli.tools:vtysh", "FRR's shell on a node."),
        "cilium": ("lab.cli.tools:cilium", "The cilium command on a node."),
        "hubble": ("lab.cli.tools:hubble", "The hubble command on the management node."),
        "ui": ("lab.cli.ui:ui", "Hubble's web page in a browser of this host."),
    },
    "This repository and machine": {
        "doctor": ("lab.cli.doctor:doctor", "Look at what the machine offers and lacks."),
        "test": ("lab.cli.test:test", "Run the tests."),
        "bench": ("lab.cli.bench:bench", "Measure, and print ratios."),
    },
}
"""Verb -> the command as `module:attribute`, and its line in the help."""

VERBS = {verb: line for family in FAMILIES.values() for verb, line in family.items()}


class Lazy(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute = VERBS[name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for family, verbs in FAMILIES.items():
            with formatter.section(family):
                formatter.write_dl([(verb, words) for verb, (_, words) in verbs.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A Kubernetes cluster with BGP-announced, eBPF-balanced services, on one Linux machine.

    Exit codes: 0 all held, 1 a check failed, 2 wrong usage or input, 3 the machine lacks something.
    """


def main(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    try:
        code = cli.main(list(arguments), prog_name="lab", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except LabError as error:
        _complain(error)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has gone.
        output.give_up()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _complain(FileError.of(error))
        output.give_up()
        return FileError.exit_code
    return code if isinstance(code, int) else 0


def _complain(error: LabError) -> None:
    from lab.console import complain  # noqa: PLC0415 - rich costs 50 ms; most starts need none

    complain(error)
