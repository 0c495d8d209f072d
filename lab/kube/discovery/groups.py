"""Which kinds are served: /api, /apis, in the legacy and in the aggregated form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.kube import status
from lab.kube.kinds import POD, Registry, Resource
from lab.kube.wire.http import Answer, Request, json_answer

Object = dict[str, Any]

AGGREGATED = "APIGroupDiscoveryList"
_GROUP_ORDER = ("", "apps", "coordination.k8s.io", "discovery.k8s.io", "apiextensions.k8s.io")


def serve(request: Request, registry: Registry, address: str) -> Answer | None:
    """Answer a discovery path; None when the path is none."""
    path = request.path
    if path in (("api",), ("apis",)):
        groups = _groups(registry, core=path == ("api",))
        form = _aggregated_form(request)
        if form:
            media, form_version = form
            return Answer(200, json_answer(_aggregated(groups, form_version)).body, media)
        return json_answer(_versions(address) if path == ("api",) else _group_list(groups))
    if path[:1] == ("api",) and len(path) == 2:
        return json_answer(_resource_list("", path[1], registry))
    if path[:1] == ("apis",) and len(path) == 2:
        found = dict(_groups(registry, core=False)).get(path[1])
        if not found:
            raise status.no_such_path()
        return json_answer({"kind": "APIGroup", "apiVersion": "v1", **_group(path[1], found)})
    if path[:1] == ("apis",) and len(path) == 3:
        return json_answer(_resource_list(path[1], path[2], registry))
    return None


def _groups(registry: Registry, *, core: bool) -> list[tuple[str, list[Resource]]]:
    groups: dict[str, list[Resource]] = {}
    for resource in registry:
        if (resource.group == "") == core:
            groups.setdefault(resource.group, []).append(resource)
    order = {name: place for place, name in enumerate(_GROUP_ORDER)}
    return sorted(groups.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


def _group_versions(resources: Sequence[Resource]) -> list[str]:
    """Versions of a group, the stable and newest first."""
    found = {resource.version for resource in resources}
    return sorted(found, key=lambda v: ("alpha" in v, "beta" in v, v))


def _versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group(name: str, resources: Sequence[Resource]) -> Object:
    versions = [{"groupVersion": f"{name}/{v}", "version": v} for v in _group_versions(resources)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _group_list(groups: list[tuple[str, list[Resource]]]) -> Object:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, resources) for name, resources in groups],
    }


def _resource_list(group: str, wanted: str, registry: Registry) -> Object:
    resources = [r for r in registry if (r.group, r.version) == (group, wanted)]
    if not resources:
        raise status.no_such_path()
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": resources[0].api_version,
        "resources": [entry for resource in resources for entry in _entries(resource)],
    }


def subresources(resource: Resource) -> list[tuple[str, str, str, list[str]]]:
    """Name, the kind it speaks, that kind's apiVersion, verbs."""
    rows = []
    if resource.status:
        rows.append(("status", resource.kind, resource.api_version, ["get", "patch", "update"]))
    if resource.scale:
        rows.append(("scale", "Scale", "autoscaling/v1", ["get", "patch", "update"]))
    if resource is POD:
        rows += [
            ("binding", "Binding", "v1", ["create"]),
            ("eviction", "Eviction", "policy/v1", ["create"]),
            ("exec", "PodExecOptions", "v1", ["create", "get"]),
            ("log", "Pod", "v1", ["get"]),
        ]
    return rows


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    rows = [entry]
    for name, kind, api_version, verbs in subresources(resource):
        row: Object = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": verbs,
        }
        if api_version != resource.api_version:
            group, _, version_ = api_version.rpartition("/")
            row |= {"group": group, "version": version_}
        rows.append(row)
    return rows


def _aggregated_form(request: Request) -> tuple[str, str] | None:
    for choice in request.headers.get("accept", "").split(","):
        parts = dict(p.strip().partition("=")[::2] for p in choice.split(";"))
        if parts.get("as") == AGGREGATED and parts.get("v") in ("v2", "v2beta1"):
            v = parts["v"]
            return f"application/json;g=apidiscovery.k8s.io;v={v};as={AGGREGATED}", v
    return None


def _aggregated(groups: list[tuple[str, list[Resource]]], form_version: str) -> Object:
    return {
        "kind": AGGREGATED,
        "apiVersion": f"apidiscovery.k8s.io/{form_version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": v,
                        "freshness": "Current",
                        "resources": [_discovered(r) for r in resources if r.version == v],
                    }
                    for v in _group_versions(resources)
                ],
            }
            for name, resources in groups
        ],
    }


def _discovered(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource.api_version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        "subresources": [
            {"subresource": name, "responseKind": _kind(api_version, kind), "verbs": verbs}
            for name, kind, api_version, verbs in subresources(resource)
        ],
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _kind(api_version: str, kind: str) -> Object:
    group, _, version_ = api_version.rpartition("/")
    return {"group": group, "version": version_, "kind": kind}
