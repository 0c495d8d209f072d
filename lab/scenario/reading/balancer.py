"""The load balancer's map as `cilium bpf lb list` prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRONTEND = re.compile(
    r"^(?P<address>\S+:\d+(?:/\w+)?)(?: \(\d+\))?\s+"
    r"\S+ \((?P<id>\d+)\)(?: \(\d+\))? \[(?P<flags>[^\]]+)\]"
)
_BACKEND = re.compile(
    r"^(?:(?P<frontend>\S+:\d+(?:/\w+)?)(?: \(\d+\))?)?\s+"
    r"(?P<address>\S+:\d+(?:/\w+)?) \((?P<id>\d+)\)"
)


@dataclass(frozen=True)
class Frontend:
    """An address that is balanced, its kind, and the addresses behind it (all `ip:port`)."""

    address: str
    kind: str
    backends: tuple[str, ...]


def parse(text: str) -> dict[str, Frontend]:
    """Frontends by address. The list puts a frontend's backends on the lines below it."""
    kinds: dict[str, str] = {}
    backends: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        head = _FRONTEND.match(line)
        if head:
            current = head["address"]
            kinds[current] = head["flags"]
            backends.setdefault(current, [])
            continue
        behind = _BACKEND.match(line)
        if behind:
            current = behind["frontend"] or current
            if behind["address"] not in ("0.0.0.0:0", "[::]:0"):
                backends.setdefault(current, []).append(behind["address"])
    return {
        address: Frontend(address, kinds.get(address, ""), tuple(sorted(found)))
        for address, found in backends.items()
    }
