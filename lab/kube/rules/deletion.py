"""How an object goes: at once, with grace, or when its finalizers are gone. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from lab.kube import status
from lab.kube.kinds import NAMESPACE, POD, Resource
from lab.kube.store import Key, Stored

Object = dict[str, Any]


class Deletion(msgspec.Struct, frozen=True, rename="camel"):
    """DeleteOptions, as a body or a query has them."""

    grace_period_seconds: Annotated[int, msgspec.Meta(lt=2**31)] | None = None
    preconditions: dict[str, str] | None = None
    propagation_policy: str | None = None
    dry_run: list[str] | str | None = None


DEFAULT = Deletion()


def check_preconditions(resource: Resource, key: Key, old: Stored, options: Deletion) -> None:
    for name, wanted in (options.preconditions or {}).items():
        have = old.object["metadata"].get(name)
        if wanted != have:
            why = f"Precondition failed: {name} in precondition: {wanted}, in object: {have}"
            raise status.conflict(resource, key[1], why)


def finalizers(resource: Resource, obj: Object) -> list[str]:
    found = list(obj["metadata"].get("finalizers") or ())
    if resource is NAMESPACE:
        found += (obj.get("spec") or {}).get("finalizers") or ()
    return found


def grace_of(resource: Resource, obj: Object, options: Deletion) -> int:
    """Seconds until a deleted object goes: only a pod that runs somewhere has any."""
    if resource is not POD or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_seconds is not None:
        return max(options.grace_period_seconds, 0)
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30))


def waits(resource: Resource, obj: Object) -> bool:
    """A marked pod goes when its node says that its processes are gone."""
    return resource is POD and bool(obj["metadata"].get("deletionGracePeriodSeconds"))
