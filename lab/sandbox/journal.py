"""Which faults stand in a lab, each with what undoes it: written down before it strikes.

Kept by the lab, so that whoever comes later can put right what somebody struck and left.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from lab.errors import InputError


class Journal:
    """Handlers of the control socket. A fault is known by its words; `undo` is JSON, kept as is."""

    def __init__(self) -> None:
        self._undo: dict[str, Any] = {}
        self._changing = threading.Lock()

    def note(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down a fault that is about to strike; InputError when the same one stands."""
        words = str(request.get("words"))
        with self._changing:
            if words in self._undo:
                raise InputError(f"it stands already: {words}; `lab fault clear` mends all that do")
            self._undo[words] = request.get("undo")
        return {}

    def forget(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Strike a fault out, if it is there."""
        with self._changing:
            self._undo.pop(str(request.get("words")), None)
        return {}

    def standing(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """The faults that stand, oldest first."""
        with self._changing:
            return {"faults": [{"words": w, "undo": undo} for w, undo in self._undo.items()]}
