"""Server-side apply with simple field ownership.

Every applier owns the leaves it sent last; they are kept as metadata.managedFields entries of
operation Apply. Applying drops the leaves that this manager owned and sends no more, and refuses
(409) to change a leaf that another applier owns, unless it is forced. Lists that the schema
merges by a key are merged so, all others are one leaf. Ordinary updates take no ownership.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from lab.kube import names, status
from lab.kube.api import Api, copy_of
from lab.kube.changes.strategic import strategic
from lab.kube.kinds import Resource
from lab.kube.rules import schema
from lab.kube.rules.decoding import Write
from lab.kube.status import Cause, told
from lab.kube.store import Key, Stored

Object = dict[str, Any]
Path = tuple[str, ...]
"""Steps in the notation of fieldsV1: `f:name`, or `k:{"key":value}` in a merged list."""

_UNOWNED = {
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
}


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

    def entry(self, resource: Resource, leaves: Iterable[Path], before: list[Object]) -> Object:
        """Ownership of leaves, of the same time as before where it is the same."""
        made: Object = {
            "manager": self.manager,
            "operation": "Apply",
            "apiVersion": resource.api_version,
            "time": names.now(),
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(leaves),
        }
        if self.subresource:
            made["subresource"] = self.subresource
        return next((old for old in before if {**old, "time": made["time"]} == made), made)


def apply_object(
    api: Api, resource: Resource, key: Key, applied: Object, write: Write, applier: Applier
) -> tuple[Stored, bool]:
    """Create or change an object to what a manager wants; tells whether it was created."""
    if not applier.manager:
        text = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
        raise status.ApiError(422, "Invalid", text + "is required for apply patch")
    meta = applied.setdefault("metadata", {})
    if not isinstance(meta, dict) or meta.get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    meta.setdefault("name", key[1])
    kind_schema = schema.of(resource)
    wanted = {p: value for p, value in _leaves(applied, kind_schema) if p not in _UNOWNED}
    old = api.find(resource, key)
    if old is None:
        meta["managedFields"] = [applier.entry(resource, wanted, [])]
        return api.create(resource, key[0], applied, write), True
    entries = old.object["metadata"].get("managedFields") or []
    mine = [entry for entry in entries if applier.made(entry)]
    others = [entry for entry in entries if not applier.made(entry)]
    if applier.force:
        others = [{**e, "fieldsV1": _tree(set(_owned(e)) - wanted.keys())} for e in others]
    else:
        _check_owners(others, dict(_leaves(old.object, kind_schema)), wanted)
    base = copy_of(old)
    for path in set(_owned(*mine)) - wanted.keys() - set(_owned(*others)):
        _drop(base, path)
    new = strategic(base, applied, kind_schema)
    new["metadata"]["managedFields"] = [*others, applier.entry(resource, wanted, mine)]
    if not meta.get("resourceVersion"):
        new["metadata"].pop("resourceVersion", None)
    return api.update(resource, key, new, write, subresource=applier.subresource), False


def _check_owners(others: list[Object], current: dict[Path, Any], wanted: dict[Path, Any]) -> None:
    """409 when a leaf that another manager owns would change."""
    changed = {path for path in wanted.keys() & current.keys() if wanted[path] != current[path]}
    causes = [
        Cause(_dotted(path), "FieldManagerConflict", f'conflict with "{entry["manager"]}"')
        for entry in others
        for path in _owned(entry)
        if path in changed
    ]
    if causes:
        lines = ", ".join(f"{cause.message}: {cause.field}" for cause in causes)
        title = f"Apply failed with {len(causes)} conflict{'s' * (len(causes) > 1)}"
        raise status.ApiError(409, "Conflict", f"{title}: {lines}", {"causes": told(causes)})


def _leaves(value: Any, kind_schema: Object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    kind_schema = schema.resolve(kind_schema)
    key = kind_schema.get("x-kubernetes-patch-merge-key")
    if isinstance(value, dict) and value:
        properties = kind_schema.get("properties", {})
        extra = kind_schema.get("additionalProperties") or {}
        for name, inner in value.items():
            yield from _leaves(inner, properties.get(name, extra), (*path, f"f:{name}"))
    elif isinstance(value, list) and key and all(isinstance(i, dict) and key in i for i in value):
        for item in value:
            step = "k:" + msgspec.json.encode({key: item[key]}).decode()
            yield from _leaves(item, kind_schema["items"], (*path, step))
    else:
        yield path, value


def _tree(leaves: Iterable[Path]) -> Object:
    tree: Object = {}
    for path in leaves:
        place = tree
        for step in path:
            place = place.setdefault(step, {})
    return tree


def _owned(*entries: Object) -> Iterator[Path]:
    """The leaves that entries of managedFields name."""
    for entry in entries:
        yield from _paths(entry["fieldsV1"])


def _paths(tree: Object, path: Path = ()) -> Iterator[Path]:
    for step, inner in tree.items():
        if inner:
            yield from _paths(inner, (*path, step))
        else:
            yield (*path, step)


def _drop(obj: Any, path: Path) -> None:
    """Remove a leaf, if it is there; an item of a list goes with the key that it is merged by."""
    *parents, last = path
    holder: Any = None
    for step in parents:
        holder, obj = obj, _step(obj, step)
    if obj and parents[-1:] and parents[-1].startswith("k:") and last[2:] in _key(parents[-1]):
        holder.remove(obj)
    elif isinstance(obj, dict):
        obj.pop(last[2:], None)


def _step(obj: Any, step: str) -> Any:
    if step.startswith("f:"):
        return obj.get(step[2:]) if isinstance(obj, dict) else None
    items = obj if isinstance(obj, list) else []
    return next((item for item in items if _key(step).items() <= item.items()), None)


def _key(step: str) -> Object:
    key: Object = msgspec.json.decode(step[2:])
    return key


def _dotted(path: Path) -> str:
    steps = [f"[{s[3:-1]}]" if s.startswith("k:") else "." + s[2:] for s in path]
    return "".join(steps).replace('":', '"=')
