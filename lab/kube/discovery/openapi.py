"""/openapi/v2 and /openapi/v3: what kubectl validates, explains and merges by."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from starlette.responses import Response

from lab.kube.discovery.version import SERVER_VERSION
from lab.kube.kinds import Registry, Resource
from lab.kube.rules import schema
from lab.kube.rules.fields import FORMATS
from lab.kube.rules.schema import Schema
from lab.kube.wire.request import Request, json_answer

Object = dict[str, Any]

PROTOBUF = "application/com.github.proto-openapi.spec.v2"
_INFO = {"title": "Kubernetes", "version": SERVER_VERSION}
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
    served = [resource for resource in registry if resource.root == root]
    return json_answer(_version_3(served)) if served else None


def _version_2(request: Request, registry: Registry) -> Response:
    definitions = {name: _export(s, 2) for name, s in schema.definitions().items()}
    for resource in registry:
        definitions[_name(resource)] = _kind_schema(resource, 2)
    doc = {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {_path(r): _path_item(r, 2) for r in registry},
        "definitions": definitions,
    }
    accept = request.headers.get("accept", "")
    if accept.startswith(PROTOBUF):
        # Old clients name the form with an `@` and then cannot parse that as a media type.
        media = accept.partition(",")[0]
        media = "application/octet-stream" if "@" in media else media
        from lab.kube.discovery.openapi_protobuf import document  # noqa: PLC0415 - 50 ms, see body

        return Response(document(doc), media_type=media)
    return json_answer(doc)


def _version_3(served: list[Resource]) -> Object:
    schemas = {name: _export(s, 3) for name, s in schema.definitions().items()}
    for resource in served:
        schemas[_name(resource)] = _kind_schema(resource, 3)
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {_path(r): _path_item(r, 3) for r in served},
        "components": {"schemas": schemas},
    }


def _name(resource: Resource) -> str:
    if not resource.custom:
        return resource.kind
    return f"{resource.group}.{resource.version}.{resource.kind}"


def _kind_schema(resource: Resource, version: int) -> Schema:
    body = _export(schema.of(resource), version)
    if resource.custom:
        reference = _export({"$ref": "#/definitions/ObjectMeta"}, version)
        standard = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        properties = {**standard, **body.get("properties", {}), "metadata": reference}
        body = {**body, "properties": properties}
    return {**body, "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _gvk(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _path(resource: Resource) -> str:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{resource.root}{scope}/{resource.plural}/{{name}}"


def _path_item(resource: Resource, version: int) -> Object:
    """The PATCH operation: clients look there for which parameters the server knows."""
    kind = {"type": "string", "uniqueItems": True}
    parameters: list[Object] = []
    for name in _PARAMETERS:
        where: Object = {"name": name, "in": "query"}
        parameters.append({**where, **kind} if version == 2 else {**where, "schema": kind})
    operation = {
        "parameters": parameters,
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
