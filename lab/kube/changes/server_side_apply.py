"""Server-side apply with simple field ownership.

Every applier owns the leaves it sent last; they are kept as metadata.managedFields entries of
operation Apply. Applying drops the leaves that this manager owned and sends no more, and refuses
(409) to change a leaf that another applier owns, unless it is forced. Lists that the schema
merges by a key are merged so, all others are one leaf. Ordinary updates take no ownership.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from lab.kube import names, status
from lab.kube.api import Api, copy_of
from lab.kube.changes.strategic import strategic
from lab.kube.kinds import Resource
from lab.kube.rules import schema
from lab.kube.rules.decoding import Write
from lab.kube.store import Key, Stored

Object = dict[str, Any]
Path = tuple[str, ...]
"""Steps in the notation of fieldsV1: `f:name`, or `k:{"key":value}` in a merged list."""

_UNOWNED: tuple[Path, ...] = (
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
)


@dataclass(frozen=True)
class Applier:
    """Who applies, to an object or to a subresource of it; `force` takes fields from others."""

    manager: str
    subresource: str
    force: bool

    def made(self, entry: Object) -> bool:
        """Whether an entry of managedFields is this applier's."""
        who = (entry.get("manager"), entry.get("subresource", ""))
        return who == (self.manager, self.subresource)


def apply_object(
    api: Api,
    resource: Resource,
    key: Key,
    applied: Object,
    write: Write,
    applier: Applier,
) -> tuple[Stored, bool]:
    """Create or change an object to what a manager wants; tells whether it was created."""
    if not applier.manager:
        why = status.Cause.required("fieldManager", "is required for apply patch")
        text = f'PatchOptions.meta.k8s.io "" is invalid: {why.field}: {why.message}'
        raise status.ApiError(422, "Invalid", text)
    meta = applied.setdefault("metadata", {})
    if not isinstance(meta, dict) or meta.get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    meta.setdefault("name", key[1])
    kind_schema = schema.of(resource)
    wanted = dict(_leaves(applied, kind_schema, ()))
    for path in _UNOWNED:
        wanted.pop(path, None)
    entry = _entry(resource, applier, wanted)
    old = api.find(resource, key)
    if old is None:
        meta["managedFields"] = [entry]
        return api.create(resource, key[0], applied, write), True
    entries = old.object["metadata"].get("managedFields") or []
    others = [e for e in entries if not applier.made(e)]
    if applier.force:
        others = [_disowned(e, wanted) for e in others]
    else:
        _check_owners(others, dict(_leaves(old.object, kind_schema, ())), wanted)
    base = copy_of(old)
    for mine in (e for e in entries if applier.made(e)):
        kept = {path for e in others for path in _paths(e["fieldsV1"])} | set(wanted)
        for path in sorted(set(_paths(mine["fieldsV1"])) - kept, reverse=True):
            _drop(base, path)
    new = strategic(base, applied, kind_schema)
    new["metadata"]["managedFields"] = [*others, entry]
    if not meta.get("resourceVersion"):
        new["metadata"].pop("resourceVersion", None)
    _keep_time(entries, entry)
    return api.update(resource, key, new, write, subresource=applier.subresource), False


def _check_owners(others: list[Object], current: dict[Path, Any], wanted: dict[Path, Any]) -> None:
    """409 when a leaf that another manager owns would change."""
    conflicts = [
        (entry["manager"], path)
        for entry in others
        for path in _paths(entry["fieldsV1"])
        if path in wanted and path in current and wanted[path] != current[path]
    ]
    if not conflicts:
        return
    lines = [f'conflict with "{owner}": {_dotted(path)}' for owner, path in conflicts]
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{owner}"',
            "field": _dotted(path),
        }
        for owner, path in conflicts
    ]
    count = len(conflicts)
    message = f"Apply failed with {count} conflict{'s' * (count > 1)}: {', '.join(lines)}"
    raise status.ApiError(409, "Conflict", message, {"causes": causes})


def _leaves(value: Any, kind_schema: Object, path: Path) -> Iterator[tuple[Path, Any]]:
    kind_schema = schema.resolve(kind_schema)
    if isinstance(value, dict) and value:
        properties, extra = (
            kind_schema.get("properties", {}),
            kind_schema.get("additionalProperties"),
        )
        for name, inner in value.items():
            yield from _leaves(inner, properties.get(name) or extra or {}, (*path, f"f:{name}"))
        return
    key = kind_schema.get("x-kubernetes-patch-merge-key")
    if isinstance(value, list) and key and all(isinstance(i, dict) and key in i for i in value):
        for item in value:
            step = "k:" + msgspec.json.encode({key: item[key]}).decode()
            yield from _leaves(item, kind_schema["items"], (*path, step))
        return
    yield path, value


def _entry(resource: Resource, applier: Applier, leaves: dict[Path, Any]) -> Object:
    entry: Object = {
        "manager": applier.manager,
        "operation": "Apply",
        "apiVersion": resource.api_version,
        "time": names.now(),
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(leaves),
    }
    if applier.subresource:
        entry["subresource"] = applier.subresource
    return entry


def _tree(leaves: Any) -> Object:
    tree: Object = {}
    for path in leaves:
        place = tree
        for step in path:
            place = place.setdefault(step, {})
    return tree


def _paths(tree: Object, path: Path = ()) -> Iterator[Path]:
    for step, inner in tree.items():
        if inner:
            yield from _paths(inner, (*path, step))
        else:
            yield (*path, step)


def _disowned(entry: Object, wanted: dict[Path, Any]) -> Object:
    left = [path for path in _paths(entry["fieldsV1"]) if path not in wanted]
    return {**entry, "fieldsV1": _tree(left)}


def _drop(obj: Any, path: Path) -> None:
    """Remove one leaf, and the list item that nothing of is left but its key."""
    for step in path[:-1]:
        obj = _step(obj, step)
    last = path[-1]
    if isinstance(obj, dict) and last.startswith("f:"):
        obj.pop(last[2:], None)


def _step(obj: Any, step: str) -> Any:
    if step.startswith("f:"):
        return obj.get(step[2:]) if isinstance(obj, dict) else None
    wanted = msgspec.json.decode(step[2:])
    items = obj if isinstance(obj, list) else []
    return next((i for i in items if wanted.items() <= i.items()), None)


def _keep_time(entries: list[Object], entry: Object) -> None:
    """Applying the same again changes nothing, not even the entry's time."""
    for old in entries:
        if {**old, "time": ""} == {**entry, "time": ""}:
            entry["time"] = copy.copy(old["time"])


def _dotted(path: Path) -> str:
    steps = [s[2:] if s.startswith("f:") else s for s in path]
    text = "".join(f".{s}" if not s.startswith("k:") else f"[{s[2:].strip('{}')}]" for s in steps)
    return text.replace('":', '"=')
