"""Everything the lab raises on purpose.

LabError                   a message for the user and the exit code it leads to
├── InputError             the user's topology, manifest or command line is wrong (exit 2)
│   └── TopologyError      every problem of one topology
├── MachineError           the machine lacks something, with the command that mends it (exit 3)
├── CommandError           a program ended with a code other than 0, or did not end in time
├── WaitTimeout            a state was awaited and did not come
├── FrrError               FRR refused a configuration or answered nonsense
├── BpfError               a BPF system call or libbpf failed
│   └── VerifierError      the kernel's verifier refused a program
├── FileError              a file, or the output, that the kernel refused
└── SandboxError           the namespaces of a lab could not be made or entered

A message says what failed, on which node, what was seen, what was wanted and what to do
next: one line first, details below it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence


class LabError(Exception):
    """Base of all errors that the lab explains to its user."""

    exit_code = 1


class InputError(LabError):
    """The user's input is wrong; nothing was started."""

    exit_code = 2


class TopologyError(InputError):
    """A topology with mistakes: all of them, in the order they were found."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{source}: {count} problem{'s' if count != 1 else ''}, nothing was started"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


class MachineError(LabError):
    """The machine lacks something; `mend` is the command that provides it."""

    exit_code = 3

    def __init__(self, lacking: str, mend: str) -> None:
        self.mend = mend
        super().__init__(f"{lacking}\n  to mend it: {mend}")


class CommandError(LabError):
    """A program failed: its words, its code (None when it did not end in time) and its output."""

    TAIL = 20
    """Lines of output that the message repeats."""

    def __init__(
        self, argv: Sequence[str], code: int | None, output: str, *, where: str = ""
    ) -> None:
        self.argv = tuple(argv)
        self.code = code
        self.output = output
        place = f" on {where}" if where else ""
        how = "did not end in time" if code is None else f"ended with code {code}"
        tail = output.strip().splitlines()[-self.TAIL :]
        super().__init__("\n".join([f"{shlex.join(argv)}{place} {how}", *(f"  {t}" for t in tail)]))


class WaitTimeout(LabError):
    """A state did not come within its bound."""

    def __init__(self, what: str, *, wanted: object, seen: object, seconds: float) -> None:
        self.what = what
        self.wanted = wanted
        self.seen = seen
        self.seconds = seconds
        super().__init__(
            f"{what}: not reached within {seconds:g} s\n  wanted: {wanted}\n  seen:   {seen}"
        )


class FrrError(LabError):
    """FRR refused a configuration or a command, or gave an answer that cannot be read."""


class BpfError(LabError):
    """A BPF operation failed: what, and the kernel's errno."""

    def __init__(self, what: str, errno: int) -> None:
        self.errno = errno
        super().__init__(f"{what}: {os.strerror(errno)} (errno {errno})")


class VerifierError(BpfError):
    """The verifier refused a program: the last lines of its log, the whole log in `log`."""

    TAIL = 12

    def __init__(self, program: str, errno: int, log: str) -> None:
        self.log = log
        lines = [line for line in log.splitlines() if line.strip()]
        super().__init__(f"the verifier refused {program}", errno)
        shown = lines[-self.TAIL :]
        omitted = len(lines) - len(shown)
        detail = [f"  {line}" for line in shown] + [f"  ({omitted} lines omitted)"] * bool(omitted)
        self.args = ("\n".join([str(self.args[0]), *detail]),)


class FileError(LabError):
    """The kernel refused a file, or the output: a full disk, a folder that is not there."""

    @classmethod
    def of(cls, error: OSError) -> FileError:
        return cls(f"{error.filename or 'the output'}: {error.strerror or error}")


class SandboxError(LabError):
    """A lab's namespaces, cgroup or run directory could not be made, entered or removed."""
