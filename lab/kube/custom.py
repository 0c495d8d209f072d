"""CustomResourceDefinitions -> kinds that the server serves, from the write of a definition on."""

from __future__ import annotations

from typing import Any

from lab.kube.kinds import CRD, Registry, Resource
from lab.kube.store import Change, Listener

Object = dict[str, Any]


def into(registry: Registry) -> Listener:
    """A listener of the store that keeps a registry's custom kinds as the definitions are."""

    def observe(change: Change) -> None:
        if change.kind == CRD.qualified:
            plural, _, group = change.key[1].partition(".")
            found = resources_of(change.new.object) if change.new else ()
            registry.replace_custom(group, plural, found)

    return observe


def resources_of(definition: Object) -> tuple[Resource, ...]:
    """The served versions of a definition."""
    spec = definition["spec"]
    names = spec["names"]
    stored = next(v["name"] for v in spec["versions"] if v["storage"])
    return tuple(
        Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular", names["kind"].lower()),
            short=tuple(names.get("shortNames") or ()),
            namespaced=spec["scope"] == "Namespaced",
            categories=tuple(names.get("categories") or ()),
            status="status" in (version.get("subresources") or {}),
            generation=True,
            schema=version["schema"]["openAPIV3Schema"],
            columns=tuple(version.get("additionalPrinterColumns") or ()),
            stored_version=stored,
        )
        for version in spec["versions"]
        if version.get("served")
    )
