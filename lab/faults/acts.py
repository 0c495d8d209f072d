"""One thing done to a lab, as data: it can be written down now and done later, by somebody else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.sandbox.place import Place

PATIENCE = 30.0
"""Seconds that an act may take; a node boots in less."""


@dataclass(frozen=True)
class Command:
    """A command line on a node, split into words as a shell does."""

    node: str
    line: str

    def do(self, lab: Place) -> None:
        lab.node(self.node).run(shlex.split(self.line), timeout=PATIENCE)

    def undo(self, lab: Place) -> None:
        """Do it where it takes something back that may be gone already: its failure is none."""
        lab.node(self.node).probe(shlex.split(self.line), timeout=PATIENCE)

    def to_json(self) -> dict[str, Any]:
        return {"node": self.node, "line": self.line}


@dataclass(frozen=True)
class Request:
    """Something that the lab's supervisor does when asked."""

    what: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def do(self, lab: Place) -> None:
        lab.ask(self.what, timeout=PATIENCE, **self.fields)

    def undo(self, lab: Place) -> None:
        self.do(lab)

    def to_json(self) -> dict[str, Any]:
        return {"ask": self.what, "fields": dict(self.fields)}


def written(acts: Sequence[Command | Request]) -> list[dict[str, Any]]:
    """Acts as JSON."""
    return [act.to_json() for act in acts]


def read(told: Any) -> list[Command | Request]:
    """What `written` wrote; LabError when it is something else."""
    try:
        return [
            Request(one["ask"], one["fields"])
            if "ask" in one
            else Command(one["node"], one["line"])
            for one in told
        ]
    except (KeyError, TypeError) as exc:
        raise LabError(f"not a list of acts: {told!r}") from exc
