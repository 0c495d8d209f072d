"""argparse as this command uses it: a mistake is one line, not a page of usage."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import NoReturn

from lab.errors import InputError


class Parser(argparse.ArgumentParser):
    """Raises InputError for whatever it does not understand."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}\n  see {self.prog} --help")

    def command(self, words: Sequence[str]) -> argparse.Namespace:
        """The whole command line; InputError names the first word that nothing takes."""
        options, left = self.parse_known_args(words)
        if left:
            flag = left[0].partition("=")[0]
            kind = "flag" if flag.startswith("-") else "argument"
            near = get_close_matches(flag, {name for each in parsers(self) for name in flags(each)})
            hint = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unknown {kind}: {flag}{hint}")
        return options


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of all its subcommands."""
    yield parser
    for child in subcommands(parser).values():
        yield from parsers(child)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Parsers of the subcommands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def flags(parser: argparse.ArgumentParser) -> list[str]:
    """Long flags of a parser, sorted."""
    names = parser._option_string_actions
    return sorted(name for name in names if name.startswith("--"))
