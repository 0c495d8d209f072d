"""Owner references: which object was made for which. Pure."""

from __future__ import annotations

from typing import Any

from lab.kube.kinds import Resource

Object = dict[str, Any]


def owner_reference(resource: Resource, owner: Object) -> Object:
    """The reference of an object to the controller that made it."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Object | None:
    """The owner reference that is marked as the controller, if there is one."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller")), None)
