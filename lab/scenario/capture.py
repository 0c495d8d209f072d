"""Captures by tcpdump that are known to run before anything is sent."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab import wait
from lab.errors import CommandError, WaitTimeout
from lab.sandbox.place import Node
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.lines import Lines
from lab.shell import Child

_PACKET = re.compile(
    r"^(?P<time>[\d:.]+) IP6? (?:\(.*\) )?(?P<source>\S+) > (?P<destination>\S+): (?P<summary>.*)"
)

_COUNTED = re.compile(
    r"(?P<printed>\d+) packets? captured, (?P<received>\d+) packets? received by filter, "
    r"(?P<dropped>\d+) packets? dropped by kernel"
)

HEADERS = ("-s", "512", "-B", "8192")
"""Bytes of a packet, KiB for all: in immediate mode the kernel keeps a place of the greatest length
for each, and 2 MiB of places for a quarter of a megabyte are full after eight packets."""


@dataclass(frozen=True)
class Packet:
    """A line of tcpdump -n: `source` and `destination` with a port behind a last dot, if any."""

    time: str
    source: str
    destination: str
    summary: str


def packets(lines: list[str]) -> list[Packet]:
    """The IP packets among lines that tcpdump printed; continuation lines are left out."""
    found = (_PACKET.match(line) for line in lines)
    return [Packet(**match.groupdict()) for match in found if match]


def unprinted(counted: str) -> int:
    """How many of the packets that the kernel took for tcpdump it has not printed, by the line that
    it writes for SIGUSR1. The kernel's count of those received contains those it had no room for.
    """
    found = _COUNTED.search(counted)
    if not found:
        raise ValueError(f"tcpdump wrote {counted!r} for SIGUSR1, and not its counts of packets")
    return int(found["received"]) - int(found["dropped"]) - int(found["printed"])


def _children(pid: int) -> list[int]:
    """The program that nsenter has forked; none when that, or both, have ended."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Capture:
    """A running tcpdump: what it has printed so far, and after its block all there is to print."""

    def __init__(self, node: str, line: str, child: Child) -> None:
        self.node = node
        self.line = line
        self._child = child
        self._out = Lines(child.stdout)
        self._err = Lines(child.stderr)
        self._unfiltered = 0

    def printed(self) -> list[str]:
        """Lines on standard output so far, one for each packet."""
        return self._out.so_far()

    def stamped(self) -> list[tuple[float, str]]:
        """The same, each with the moment it was read (CLOCK_MONOTONIC, seconds)."""
        return self._out.stamped()

    def packets(self) -> list[Packet]:
        return packets(self.printed())

    def until_listening(self) -> None:
        """Return when the kernel hands packets to tcpdump; CommandError when it gave up."""
        self._until(lambda said: any("listening on" in line for line in said), "listens")
        self._unfiltered = self._unprinted()  # what came before the filter was in place

    def until_printed(self) -> None:
        """Return when all that the kernel took for tcpdump until now is printed.

        CommandError when tcpdump has ended. Not on lo: the kernel counts a packet there in both
        directions, tcpdump prints one. Nor with -Q: it counts both, as tcpdump chooses itself.
        """
        wait.until(
            self._unprinted,
            lambda count: count <= self._unfiltered,
            within=PACKETS_CAPTURED.seconds,
            what=f"packets that `{self.line}` on {self.node} has not printed yet",
            wanted=f"at most {self._unfiltered}",
        )

    def _unprinted(self) -> int:
        """What tcpdump says when it is asked how far it is."""
        asked = len(self._err.so_far())
        for tcpdump in _children(self._child.pid):
            with suppress(ProcessLookupError):  # it ends now: the next line says so
                os.kill(tcpdump, signal.SIGUSR1)
        self._until(lambda said: len(said) > asked, "tells its counts")
        return unprinted(self._err.so_far()[asked])

    def _until(self, accept: Callable[[list[str]], bool], what: str) -> None:
        """Return when its standard error is as wanted; CommandError when it has ended."""
        try:
            wait.until(
                lambda: (self._child.poll(), self._err.so_far()),
                lambda seen: seen[0] is not None or accept(seen[1]),
                within=PACKETS_CAPTURED.seconds,
                what=f"{self.line} on {self.node} {what}",
            )
        except WaitTimeout as timeout:
            raise self._failed(None) from timeout
        if self._child.poll() is not None:
            raise self._failed(self._child.returncode)

    def _failed(self, code: int | None) -> CommandError:
        said = self._err.so_far() if code is None else self._err.to_the_end()
        return CommandError(shlex.split(self.line), code, "\n".join(said), where=self.node)

    def end(self) -> None:
        """End tcpdump and take the last lines it prints."""
        self._child.terminate()
        self._child.wait()
        self._out.to_the_end()
        self._err.to_the_end()


@contextmanager
def capture(
    node: Node, name: str, interface: str, expression: str, *, options: Sequence[str] = ()
) -> Iterator[Capture]:
    """Run tcpdump on a node's interface for the length of a `with` block."""
    # As root: a change of account would cut the tie that ends tcpdump with its caller.
    quiet = ("-n", "-l", "--immediate-mode", "-Z", "root")
    argv = ["tcpdump", *quiet, *HEADERS, *options, "-i", interface, expression]
    with node.spawn(argv) as child:
        shown = shlex.join(["tcpdump", "-n", *options, "-i", interface, expression])
        taken = Capture(name, shown, child)
        try:
            taken.until_listening()
            yield taken
            taken.until_printed()
        finally:
            taken.end()
