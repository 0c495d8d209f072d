"""`kubectl get`'s columns, with the words and the ages that Kubernetes prints. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.kube.kinds import Resource
from lab.kube.printing import columns
from lab.kube.printing.age import age
from lab.kube.printing.columns import Cell

Object = dict[str, Any]


def columns_of(resource: Resource) -> list[Object]:
    """The Table's columnDefinitions; priority 1 shows with `-o wide` only."""
    if resource.custom:
        named = [("Name", "string", 0)]
        named += [(c.name, c.type, c.priority) for c in resource.columns or (columns.CUSTOM_AGE,)]
    else:
        titles = ("Name", *(name for name, _ in columns.of(resource.kind)))
        named = [(title.lstrip("+"), "string", int(title.startswith("+"))) for title in titles]
        if resource.kind == "Event":
            named[0] = ("Name", "string", 1)
    return [
        {
            "name": name,
            "type": kind,
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": priority,
        }
        for name, kind, priority in named
    ]


def row_of(resource: Resource, obj: Object) -> list[Cell]:
    """One object's cells, in the order of columns_of."""
    name: Cell = obj["metadata"]["name"]
    if not resource.custom:
        return [name, *(read(obj) for _, read in columns.of(resource.kind))]
    wanted = resource.columns or (columns.CUSTOM_AGE,)
    return [name, *(_custom(obj, column.path, column.type) for column in wanted)]


def _custom(obj: Object, path: str, kind: str) -> Cell:
    value = walk(obj, path)
    if kind == "date":
        return age(value) if value else "<unknown>"
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)


_STEP = re.compile(
    r"""\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)\]"""
)


def walk(value: Any, path: str) -> Any:
    """The part of JSONPath that additionalPrinterColumns use; None where it leads nowhere."""
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
