"""Which faults stand in a lab, each with what undoes it: written down before it strikes.

Kept by the lab, so that whoever comes later can put right what somebody struck and left.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import InputError


@dataclass(frozen=True)
class _Noted:
    alters: str
    undo: Any
    """JSON, kept as it is."""


class Journal:
    """Handlers of the control socket. A fault is known by its words."""

    def __init__(self) -> None:
        self._noted: dict[str, _Noted] = {}
        self._changing = threading.Lock()

    def note(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down a fault that is about to strike.

        InputError when one stands that alters the same: to mend either would undo both, or
        put back what was found broken.
        """
        words, alters = str(request.get("words")), str(request.get("alters"))
        with self._changing:
            for other, noted in self._noted.items():
                if noted.alters == alters:
                    raise InputError(
                        f"it stands already: {other}\n"
                        f"  one fault at a time alters {alters}; `lab fault clear` mends all"
                    )
            self._noted[words] = _Noted(alters, request.get("undo"))
        return {}

    def forget(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Strike a fault out, if it is there."""
        with self._changing:
            self._noted.pop(str(request.get("words")), None)
        return {}

    def standing(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """The faults that stand, oldest first."""
        with self._changing:
            return {"faults": [{"words": w, "undo": one.undo} for w, one in self._noted.items()]}
