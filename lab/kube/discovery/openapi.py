"""/openapi/v2 and /openapi/v3: what kubectl validates, explains and merges by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from lab.kube.discovery.openapi_protobuf import document
from lab.kube.discovery.version import SERVER_VERSION
from lab.kube.kinds import Registry, Resource
from lab.kube.rules import schema
from lab.kube.rules.fields import FORMATS
from lab.kube.rules.schema import Schema
from lab.kube.wire.request import Request, json_answer

Object = dict[str, Any]

PROTOBUF = "application/com.github.proto-openapi.spec.v2"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")


def serve(request: Request, registry: Registry) -> Response | None:
    """Answer a path below /openapi; None when it is another one."""
    path = request.path
    if path == ("openapi", "v2"):
        return _version_2(request, registry)
    if path[:2] != ("openapi", "v3"):
        return None
    versions = sorted({resource.root for resource in registry})
    if len(path) == 2:
        digest = hashlib.sha256(msgspec.json.encode([repr(r) for r in registry])).hexdigest()[:16]
        urls = {v[1:]: {"serverRelativeURL": f"/openapi/v3{v}?hash={digest}"} for v in versions}
        return json_answer({"paths": urls})
    root = "/" + "/".join(path[2:])
    if root not in versions:
        return None
    served = [resource for resource in registry if resource.root == root]
    return json_answer(registry.once(f"openapi/v3{root}", lambda: _version_3(served)))


def _version_2(request: Request, registry: Registry) -> Response:
    def doc() -> Object:
        return {"swagger": "2.0", **_common(registry, 2), "definitions": _schemas(registry, 2)}

    accept = request.headers.get("accept", "")
    if accept.startswith(PROTOBUF):
        # Old clients name the form with an `@` and then cannot parse that as a media type.
        media = accept.partition(",")[0]
        media = "application/octet-stream" if "@" in media else media
        return Response(registry.once(PROTOBUF, lambda: document(doc())), media_type=media)
    return json_answer(registry.once("openapi/v2", doc))


def _version_3(served: list[Resource]) -> Object:
    components = {"schemas": _schemas(served, 3)}
    return {"openapi": "3.0.0", **_common(served, 3), "components": components}


def _common(served: Iterable[Resource], version: int) -> Object:
    return {
        "info": {"title": "Kubernetes", "version": SERVER_VERSION},
        "paths": {_path(resource): _path_item(resource, version) for resource in served},
    }


def _schemas(served: Iterable[Resource], version: int) -> dict[str, Schema]:
    """All built-in definitions, and the kinds that are served."""
    found = {name: _export(body, version) for name, body in schema.definitions().items()}
    for resource in served:
        prefix = f"{resource.group}.{resource.version}." if resource.custom else ""
        found[prefix + resource.kind] = _kind_schema(resource, version)
    return found


def _kind_schema(resource: Resource, version: int) -> Schema:
    body = _export(schema.of(resource), version)
    return {**body, "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _gvk(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _path(resource: Resource) -> str:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{resource.root}{scope}/{resource.plural}/{{name}}"


def _path_item(resource: Resource, version: int) -> Object:
    """The PATCH operation: clients look there for which parameters the server knows."""
    text = {"type": "string"}
    kind = text if version == 2 else {"schema": text}
    operation = {
        "parameters": [{"name": name, "in": "query", **kind} for name in _PARAMETERS],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _gvk(resource),
    }
    return {"patch": operation}


def _export(part: Any, version: int) -> Any:
    """Our schema in the words of one OpenAPI version."""
    if isinstance(part, list):
        return [_export(item, version) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part and isinstance(part["$ref"], str):
        name = part["$ref"].rpartition("/")[2]
        where = "#/definitions/" if version == 2 else "#/components/schemas/"
        return {"$ref": where + name}
    if part.get("x-kubernetes-int-or-string") is True:
        return {"type": "string", "format": "int-or-string"} if version == 2 else _INT_OR_STRING
    return {
        name: _export(value, version)
        for name, value in part.items()
        if not (name == "format" and isinstance(value, str) and value in FORMATS)
    }


_INT_OR_STRING = {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
