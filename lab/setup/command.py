"""The command line as far as the set-up is concerned, and what it decides to do."""

from __future__ import annotations

import sys

from lab.setup.survey import Lacking, survey

LACKS = 3
"""Exit code: the machine lacks something."""

USAGE = """\
usage: sudo python3 -m lab [--no-setup] COMMAND ...

  run basic    the lab, end to end: builds it, shows it, checks it, removes it
  test         every test of this repository
  setup        only provide what the lab needs ("setup --test": and what its tests need)

The first command installs what the machine lacks; --no-setup only says what that is.
All commands are listed by `--help` once the machine is set up."""

HELP = ("-h", "--help", "help")


class Command:
    """The user's arguments: what the set-up reads of them, and what goes on to the lab."""

    __slots__ = ("arguments", "no_setup")

    def __init__(self, arguments: list[str], *, no_setup: bool) -> None:
        self.arguments = arguments
        self.no_setup = no_setup

    @classmethod
    def parse(cls, words: list[str]) -> Command:
        """Take `--no-setup` out of the words; what follows `--` belongs to another program."""
        end = words.index("--") if "--" in words else len(words)
        own = [word for word in words[:end] if word != "--no-setup"]
        return cls(own + words[end:], no_setup=len(own) < end)

    @property
    def verb(self) -> str:
        return self.arguments[0] if self.arguments else ""

    @property
    def test(self) -> bool:
        """Whether it needs what the tests need."""
        return self.verb in {"test", "bench"} or self.arguments == ["setup", "--test"]

    @property
    def asks_for_help(self) -> bool:
        return self.verb in {"", *HELP} or (self.verb == "setup" and self.arguments[-1] in HELP)


def prepare(command: Command) -> int | None:
    """Make the machine ready for a command: None to go on with it, or the code to exit with."""
    lacking = survey(test=command.test)
    if command.asks_for_help and (lacking or command.verb == "setup"):
        print(USAGE)
        return 0
    if not lacking:
        return _nothing_lacks(command)
    return _provide(command, lacking)


def _nothing_lacks(command: Command) -> int | None:
    if command.verb != "setup" and (command.arguments or not command.no_setup):
        return None
    unknown = [word for word in command.arguments[1:] if word != "--test"]
    if unknown:
        print(f"setup takes only --test, not {' '.join(unknown)}", file=sys.stderr)
        return 2
    print("The machine has all that the lab needs.")
    return 0


def _provide(command: Command, lacking: Lacking) -> int | None:
    # Imported only when something lacks: a warm start does not pay for subprocess and the rest.
    from lab.setup.install import install  # noqa: PLC0415
    from lab.setup.report import report  # noqa: PLC0415
    from lab.setup.tool import SetupError  # noqa: PLC0415

    if command.no_setup:
        print(report(lacking), file=sys.stderr)
        return LACKS
    try:
        install(lacking)
    except SetupError as error:
        print(f"\nset-up stopped: {error}", file=sys.stderr)
        return LACKS
    except OSError as error:
        print(f"\nset-up stopped: {error.strerror}: {error.filename}", file=sys.stderr)
        return LACKS
    except KeyboardInterrupt:
        print("\nset-up interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return _nothing_lacks(command)
