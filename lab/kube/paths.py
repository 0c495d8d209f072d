"""Paths -> what they name."""

from __future__ import annotations

from dataclasses import dataclass

from lab.kube import status
from lab.kube.kinds import Registry, Resource
from lab.kube.store import Key


@dataclass(frozen=True)
class Target:
    """What a path names. `name` is "" for a collection, `namespace` "" for all namespaces."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> Key:
        return (self.namespace if self.resource.namespaced else "", self.name)


def locate(registry: Registry, path: tuple[str, ...]) -> Target:
    """Read `/api/v1/...` or `/apis/GROUP/VERSION/...`; 404 for what is not served."""
    if path[:1] == ("apis",):
        path = path[1:]
    elif path[:1] == ("api",):
        path = ("", *path[1:])
    if len(path) < 3:
        raise status.no_such_path()
    group, version, rest = path[0], path[1], path[2:]
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None or bool(namespace) > resource.namespaced or len(rest) > 3:
        raise status.no_such_path()
    name, subresource = (*rest[1:], "", "")[:2]
    if name and resource.namespaced and not namespace:
        raise status.no_such_path()
    if subresource and subresource not in (part.name for part in resource.subresources):
        raise status.no_such_path()
    return Target(resource, namespace, name, subresource)
