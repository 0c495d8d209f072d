"""Which kinds are served: /api, /apis and below, in the legacy and in the aggregated form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from lab.kube import status
from lab.kube.kinds import Registry, Resource
from lab.kube.wire.request import Request, json_answer

Object = dict[str, Any]

AGGREGATED = "APIGroupDiscoveryList"
Groups = dict[str, list[Resource]]


def serve(request: Request, registry: Registry, address: str) -> Response | None:
    """Answer a discovery path; None when the path is none."""
    path = ("", *request.path[1:]) if request.path[:1] == ("api",) else request.path[1:]
    if request.path[:1] not in (("api",), ("apis",)) or len(path) > 2:
        return None
    groups = _groups(registry, core=path[:1] == ("",))
    if path in ((), ("",)):
        return _roots(request, groups, address)
    found = groups.get(path[0], [])
    if len(path) == 1 and found:
        return json_answer({"kind": "APIGroup", "apiVersion": "v1", **_group(path[0], found)})
    resources = [resource for resource in found if resource.version == path[-1]]
    if not resources:
        raise status.no_such_path()
    return json_answer({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": resources[0].api_version,
        "resources": [row for resource in resources for row in _legacy(resource)],
    })  # fmt: skip


def _roots(request: Request, groups: Groups, address: str) -> Response:
    for _, wanted in request.accepted():
        version = wanted.get("v", "")
        if wanted.get("as") == AGGREGATED and version in ("v2", "v2beta1"):
            media = f"application/json;g=apidiscovery.k8s.io;v={version};as={AGGREGATED}"
            return Response(msgspec.json.encode(_aggregated(groups, version)), media_type=media)
    if request.path == ("api",):
        reached = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return json_answer(
            {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": reached}
        )
    listed = [_group(name, resources) for name, resources in groups.items()]
    return json_answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


def _groups(registry: Registry, *, core: bool) -> Groups:
    """Kinds by group, in the order of the table: of two with one name, clients take the first."""
    groups: Groups = {}
    for resource in registry:
        if (resource.group == "") == core:
            groups.setdefault(resource.group, []).append(resource)
    return groups


def _versions(resources: Sequence[Resource]) -> list[str]:
    """Versions of a group, the stable and newest first."""
    found = {resource.version for resource in resources}
    return sorted(found, key=lambda v: ("alpha" in v, "beta" in v, v))


def _group(name: str, resources: Sequence[Resource]) -> Object:
    versions = [{"groupVersion": f"{name}/{v}", "version": v} for v in _versions(resources)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _legacy(resource: Resource) -> list[Object]:
    """The rows of an APIResourceList: the kind's own and one for each subresource."""
    own = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        **_kind(resource.api_version, resource.kind),
        "verbs": resource.verbs,
        "shortNames": resource.short,
        "categories": resource.categories,
    }
    below = [
        {
            "name": f"{resource.plural}/{part.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **_kind(part.api_version, part.kind),
            "verbs": part.verbs,
        }
        for part in resource.subresources
    ]
    return [own, *below]


def _aggregated(groups: Groups, form_version: str) -> Object:
    items = []
    for name, resources in groups.items():
        versions = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_discovered(r) for r in resources if r.version == version],
            }
            for version in _versions(resources)
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    api_version = f"apidiscovery.k8s.io/{form_version}"
    return {"kind": AGGREGATED, "apiVersion": api_version, "metadata": {}, "items": items}


def _discovered(resource: Resource) -> Object:
    return {
        "resource": resource.plural,
        "responseKind": _kind(resource.api_version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": resource.verbs,
        "subresources": [
            {
                "subresource": part.name,
                "responseKind": _kind(part.api_version, part.kind),
                "verbs": part.verbs,
            }
            for part in resource.subresources
        ],
        "shortNames": resource.short,
        "categories": resource.categories,
    }


def _kind(api_version: str, kind: str) -> Object:
    group, _, version = api_version.rpartition("/")
    return {"group": group, "version": version, "kind": kind}
