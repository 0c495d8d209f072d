"""Reading the lines that `hubble observe` prints in its compact format."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(
    r"^(?P<time>\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{3})(?: \[(?P<node>[^\]]+)\])?: "
    r"(?P<left>\S+)(?: \((?P<left_identity>[^)]*)\))? (?P<arrow><>|->|<-) "
    r"(?P<right>\S+)(?: \((?P<right_identity>[^)]*)\))? "
    r"(?P<kind>.+?) (?P<verdict>[A-Z]+) \((?P<summary>.*)\)$"
)
_FLAGS = re.compile(r"TCP Flags: ([A-Z, ]+)")


@dataclass(frozen=True)
class Flow:
    """One line: who, in which direction, seen where, with which verdict.

    `left` and `right` are as printed: `172.16.0.1:80` or `namespace/pod:80`. `node` and the
    identities are empty where the line has none.
    """

    time: str
    node: str
    left: str
    arrow: str
    right: str
    kind: str
    verdict: str
    summary: str
    left_identity: str = ""
    right_identity: str = ""

    @property
    def tcp_flags(self) -> str:
        """As printed, like `SYN, ACK`; empty for anything but TCP."""
        match = _FLAGS.search(self.summary)
        return match.group(1) if match else ""

    @property
    def shape(self) -> str:
        """What two runs of the same connection share: all but times, names and ports."""
        return f"{self.arrow} {self.kind} {self.verdict} ({self.summary})"


def parse(text: str) -> list[Flow]:
    """The flows among lines of output, oldest first as printed; other lines are left out."""
    matches = (_LINE.match(line) for line in text.splitlines())
    return [
        Flow(**{name: value or "" for name, value in match.groupdict().items()})
        for match in matches
        if match
    ]


def port_of(side: str) -> int | None:
    """The port of a printed side; None where it has none."""
    _, colon, port = side.rpartition(":")
    return int(port) if colon and port.isdigit() else None


def with_port(flows: list[Flow], port: int) -> list[Flow]:
    """The flows of the connection that uses this port on either side."""
    return [flow for flow in flows if port in (port_of(flow.left), port_of(flow.right))]
