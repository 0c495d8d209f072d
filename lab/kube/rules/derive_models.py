"""Write models.json: what Kubernetes' own OpenAPI says of the built-in kinds and all they reach.

Run by hand when kinds are added, with the document of a cluster of the release that the server
speaks (or its repository's api/openapi-spec/swagger.json):

    kubectl get --raw /openapi/v2 >swagger.json
    python -m lab.kube.rules.derive_models swagger.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lab.kube.kinds import BUILT_IN

Schema = dict[str, Any]

TABLE = Path(__file__).with_name("models.json")

_OURS: dict[str, Schema] = {
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "JSONSchemaPropsOrArray": {"$ref": "#/definitions/JSONSchemaProps"},
    "Quantity": {"type": "string", "format": "quantity"},
}
"""What Kubernetes' document leaves open: of schemas, only one for all items is accepted."""
_KEPT = (
    "type", "required", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key",
)  # fmt: skip


def derive(document: Schema) -> dict[str, Schema]:
    """Definition -> schema, by the last part of its name: of two groups' the core's is meant."""
    found: dict[str, Schema] = document["definitions"]
    kinds = [{"group": r.group, "kind": r.kind, "version": r.version} for r in reversed(BUILT_IN)]
    kind_of = "x-kubernetes-group-version-kind"
    todo = [name for kind in kinds for name in found if kind in found[name].get(kind_of, ())]
    table = dict(_OURS)
    while todo:
        name = todo.pop()
        if _short(name) not in table:
            table[_short(name)] = _plain(found[name], todo)
    return table


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _plain(part: Schema, reached: list[str]) -> Schema:
    """A schema without what the server does not go by."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        reached.append(name)
        return {"$ref": f"#/definitions/{_short(name)}"} | _kept(part)
    plain = _kept(part)
    if part.get("format") == "date-time":
        plain["format"] = "date-time"
    if "properties" in part:
        inner = part["properties"].items()
        plain["properties"] = {name: _plain(each, reached) for name, each in inner}
    for name in ("items", "additionalProperties"):
        if name in part:
            plain[name] = _plain(part[name], reached)
    return plain


def _kept(part: Schema) -> Schema:
    return {name: part[name] for name in _KEPT if name in part}


if __name__ == "__main__":
    told = derive(json.loads(Path(sys.argv[1]).read_text()))
    TABLE.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
