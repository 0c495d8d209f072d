"""The forms an object can be asked for in: itself, or a Table for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lab.kube import status
from lab.kube.kinds import Resource
from lab.kube.printing.columns import header, row
from lab.kube.store import Stored
from lab.kube.wire.request import Request

Object = dict[str, Any]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class View:
    """Whole objects: the bytes are those that the store made once."""

    api_version: str
    kind: str

    def one(self, stored: Stored) -> bytes:
        return stored.raw

    def many(self, found: Sequence[Stored], meta: Object) -> bytes:
        kind = self.kind + "List"
        head = _encode({"kind": kind, "apiVersion": self.api_version, "metadata": meta})
        return head[:-1] + b',"items":[' + b",".join(map(self.one, found)) + b"]}"

    def event(self, stored: Stored, first: bool) -> bytes:
        """An object in a watch; `first` is the first one of it."""
        del first
        return self.one(stored)


@dataclass(frozen=True)
class Table(View):
    """Rows for `kubectl get`."""

    resource: Resource
    whole: bool
    """Each row carries its object, not only the object's metadata."""

    def one(self, stored: Stored) -> bytes:
        return self.event(stored, first=True)

    def many(self, found: Sequence[Stored], meta: Object) -> bytes:
        return self._table(found, meta, header(self.resource))

    def event(self, stored: Stored, first: bool) -> bytes:
        meta = {"resourceVersion": stored.object["metadata"]["resourceVersion"]}
        return self._table([stored], meta, header(self.resource) if first else [])

    def _table(self, found: Sequence[Stored], meta: Object, columns: list[Object]) -> bytes:
        return _encode({
            "kind": self.kind,
            "apiVersion": self.api_version,
            "metadata": meta,
            "columnDefinitions": columns,
            "rows": [self._row(stored.object) for stored in found],
        })  # fmt: skip

    def _row(self, obj: Object) -> Object:
        named = {
            "kind": "PartialObjectMetadata",
            "apiVersion": self.api_version,
            "metadata": obj["metadata"],
        }
        return {"cells": row(self.resource, obj), "object": obj if self.whole else named}


def choose(request: Request, resource: Resource) -> View:
    """The first form of an Accept header that there is; 406 when there is none."""
    for media, wanted in request.accepted():
        if media not in ("application/json", "application/*", "*/*", ""):
            continue
        if (wanted.get("as"), wanted.get("v")) == ("Table", "v1"):
            whole = request.param("includeObject") == "Object"
            return Table("meta.k8s.io/v1", "Table", resource, whole)
        if not wanted.get("as"):
            return View(resource.api_version, resource.kind)
    raise status.not_acceptable("application/json")
