"""Kubernetes' strategic merge patch: lists merged by the keys that a schema names. Pure."""

from __future__ import annotations

import copy
from typing import Any

from lab.kube.rules.schema import Schema, resolve
from lab.kube.status import bad_request

_DIRECTIVE = "$patch"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def strategic(target: Any, change: Any, schema: Schema) -> Any:
    """Merge lists by the key that the schema names; honours the `$` directives."""
    if not isinstance(change, dict):
        raise bad_request("error decoding patch: a strategic merge patch is an object")
    _check_directives(change)
    return _merge_object(target, change, schema)


def _check_directives(change: Any) -> None:
    """Directives have the shapes that the merge relies on, all the way down."""
    if isinstance(change, list):
        for item in change:
            _check_directives(item)
    if not isinstance(change, dict):
        return
    for name, value in change.items():
        listed = name == _RETAIN or name.startswith((_ORDER, _DELETE_PRIMITIVES))
        if listed and not isinstance(value, list):
            raise bad_request(f"error decoding patch: {name} is a list")
        if name == _DIRECTIVE and value not in ("replace", "delete", "merge"):
            raise bad_request(f"error decoding patch: invalid value for {name}: {value!r}")
        _check_directives(value)


def _merge_object(target: Any, change: dict[str, Any], schema: Schema) -> dict[str, Any]:
    schema = resolve(schema)
    directive = change.get(_DIRECTIVE)
    if directive == "delete":
        return {}
    if directive == "replace":
        return {k: v for k, v in change.items() if k != _DIRECTIVE}
    result = dict(target) if isinstance(target, dict) else {}
    properties = schema.get("properties", {})
    if _RETAIN in change:
        result = {k: v for k, v in result.items() if k in change[_RETAIN]}
    for name, value in change.items():
        if name.startswith("$"):
            continue
        inner = properties.get(name) or schema.get("additionalProperties") or {}
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merge_object(result.get(name), value, inner)
        elif isinstance(value, list) and inner.get("x-kubernetes-patch-strategy", "").startswith(
            "merge"
        ):
            live = result.get(name)
            result[name] = _merge_list(live, value, inner)
            if _ORDER + name not in change:
                key = inner.get("x-kubernetes-patch-merge-key")
                result[name] = _ordered(result[name], value, live, key)
        else:
            result[name] = copy.deepcopy(value)
    _delete_primitives(result, change)
    _reorder(result, target, change, properties)
    return result


def _merge_list(target: Any, change: list[Any], schema: Schema) -> list[Any]:
    have = list(target) if isinstance(target, list) else []
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return have + [value for value in change if value not in have]
    if any(not isinstance(item, dict) for item in change):
        raise bad_request(f"error decoding patch: items of a list merged by {key!r} are objects")
    if any(item.get(_DIRECTIVE) == "replace" for item in change):
        return [item for item in change if item.get(_DIRECTIVE) != "replace"]
    for item in change:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        places = [
            i for i, old in enumerate(have) if isinstance(old, dict) and old.get(key) == item[key]
        ]
        if item.get(_DIRECTIVE) == "delete":
            have = [old for i, old in enumerate(have) if i not in places]
        elif places:
            have[places[0]] = _merge_object(have[places[0]], item, schema["items"])
        else:
            have.append(_merge_object({}, item, schema["items"]))
    return have


def _delete_primitives(result: dict[str, Any], change: dict[str, Any]) -> None:
    for name, gone in change.items():
        target = name[len(_DELETE_PRIMITIVES) :]
        if name.startswith(_DELETE_PRIMITIVES) and isinstance(result.get(target), list):
            result[target] = [value for value in result[target] if value not in gone]


def _reorder(
    result: dict[str, Any], live: Any, change: dict[str, Any], properties: dict[str, Schema]
) -> None:
    for name, order in change.items():
        target = name[len(_ORDER) :]
        if name.startswith(_ORDER) and isinstance(result.get(target), list):
            key = properties.get(target, {}).get("x-kubernetes-patch-merge-key")
            before = live.get(target) if isinstance(live, dict) else None
            result[target] = _ordered(result[target], order, before, key)


def _ordered(merged: list[Any], patch: list[Any], live: Any, key: str | None) -> list[Any]:
    """The order of a merged list: the patch's own for what it names, that of the object before
    for the rest. Where these meet, what the object does not know goes first.
    """

    def name(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    named, before = [name(item) for item in patch], [name(item) for item in live or ()]
    mine = sorted((i for i in merged if name(i) in named), key=lambda i: named.index(name(i)))
    rest = [item for item in merged if name(item) not in named]
    result = []
    while mine and rest:
        one, other = name(mine[0]), name(rest[0])
        known = one in before and other in before
        first = rest if known and before.index(other) < before.index(one) else mine
        result.append(first.pop(0))
    return [*result, *mine, *rest]
