"""`hubble completion bash`: what the shell needs to complete commands and flags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from lab.hubble.cli.parsing import flags, subcommands

SCRIPT = """\
# bash completion for hubble; load it with: source <(hubble completion bash)
_hubble() {{
  local word path=hubble
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ $word == [a-z]* ]] && case "$path $word" in {paths}) path="$path $word" ;; esac
  done
  case "$path" in
{choices}
  esac
}}
complete -o default -F _hubble hubble
"""


def bash(parser: argparse.ArgumentParser) -> str:
    """The script for a parser and its subcommands."""
    words = dict(_words(parser, "hubble"))
    choices = (
        f"    '{path}') COMPREPLY=($(compgen -W '{' '.join(each)}' --"
        ' "${COMP_WORDS[COMP_CWORD]}")) ;;'
        for path, each in words.items()
    )
    paths = "|".join(f"'{path}'" for path in words if " " in path)
    return SCRIPT.format(paths=paths, choices="\n".join(choices))


def write(options: argparse.Namespace) -> None:
    """Print the script."""
    sys.stdout.write(bash(options.whole))


def _words(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """What may follow each path of commands."""
    children = subcommands(parser)
    yield path, [*children, *flags(parser)]
    for name, child in children.items():
        yield from _words(child, f"{path} {name}")
