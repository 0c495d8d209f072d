"""`lab test`: every test of this repository in one run of pytest."""

from __future__ import annotations

import os
import sys

import click

from lab.repository import REPOSITORY

PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--max-worker-restart", "0", "--dist", "loadgroup")
"""One worker a core; `tests/conftest.py` says which tests stay together. A test that kills its
worker ends the run: with another worker in its place the run would never end."""


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def test(words: tuple[str, ...]) -> None:
    """Run the tests; WORDS are pytest's own (paths, -k, -x, --junit-xml ...).

    Without words: the static checks (ruff, mypy, the C compiler), the unit tests, packets
    through the eBPF programs, and whole labs. The exit code is pytest's.

    \b
    lab test
    lab test tests/unit -k topology
    lab test -m "not system"
    """
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *PARALLEL, *words])
