"""The part of JSONPath that definitions of custom resources name their columns by. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(
    r"""\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)\]"""
)


def walk(value: Any, path: str) -> Any:
    """The value at a path like `.spec.blocks[0].cidr`; None where it leads nowhere."""
    for step in _STEP.finditer(path.replace("\\.", "\0")):
        plain, quoted, index, key, wanted = step.groups()
        name = (plain or quoted or "").replace("\0", ".")
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
        elif index is not None:
            place = int(index)
            value = value[place] if isinstance(value, list) and place < len(value) else None
        else:
            items = value if isinstance(value, list) else []
            value = next(
                (i for i in items if isinstance(i, Mapping) and i.get(key) == wanted), None
            )
    return value
