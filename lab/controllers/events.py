"""Events: what a controller tells about an object, where `kubectl describe` shows it."""

from __future__ import annotations

import zlib
from typing import Any

from lab.kube.api import Api
from lab.kube.kinds import EVENT
from lab.kube.names import now

Object = dict[str, Any]


def record(
    api: Api, about: Object, reason: str, message: str, *, component: str, warning: bool = False
) -> None:
    """An Event about an object; the same one again only counts up."""
    meta = about["metadata"]
    namespace = meta.get("namespace", "default")
    same = zlib.crc32(f"{meta['uid']} {reason} {message}".encode())
    name = f"{meta['name']}.{same:08x}"
    if api.find(EVENT, (namespace, name)):
        event = api.fresh(EVENT, (namespace, name))
        event |= {"count": event.get("count", 1) + 1, "lastTimestamp": now()}
        api.update(EVENT, (namespace, name), event)
        return
    api.create(EVENT, namespace, {
        "metadata": {"name": name},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": meta["name"],
            "namespace": namespace,
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "type": "Warning" if warning else "Normal",
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
        "reportingComponent": component,
        "reportingInstance": "",
    })  # fmt: skip
