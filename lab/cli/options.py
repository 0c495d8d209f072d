"""Options and settings that several verbs share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from lab.errors import InputError

NAME_HELP = "The lab, where several are running."

name_option = click.option("--name", "-n", "name", metavar="LAB", help=NAME_HELP)

tool_name_option = click.option("--name", "name", metavar="LAB", help=NAME_HELP)
"""Without the short form: -n belongs to the tool (it is kubectl's namespace)."""

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)

OTHERS_WORDS: Mapping[str, Any] = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a command that hands its words, options included, to another program."""

words_argument = click.argument("words", nargs=-1, type=click.UNPROCESSED)


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` words, whole numbers as such; InputError tells all that are none."""
    wrong = [pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair]
    if wrong:
        raise InputError(f"an option of a topology is written key=value, not {', '.join(wrong)}")
    split = (pair.partition("=") for pair in pairs)
    return {key: int(value) if value.isdecimal() else value for key, _, value in split}


def as_json(value: object) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(value, indent=2))
