"""The forms an object can be asked for in: itself, its metadata alone, or a Table for a person."""

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


class MetadataOnly(View):
    """PartialObjectMetadata."""

    def one(self, stored: Stored) -> bytes:
        return _encode(_partial(stored.object))


@dataclass(frozen=True)
class Table(View):
    """Rows for `kubectl get`; each carries as much of its object as was asked for."""

    resource: Resource
    include: str
    """None, Metadata or Object."""

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
        cells = {"cells": row(self.resource, obj)}
        if self.include == "None":
            return cells
        return {**cells, "object": obj if self.include == "Object" else _partial(obj)}


_META = "meta.k8s.io/v1"
_PARTIAL = "PartialObjectMetadata"


def _partial(obj: Object) -> Object:
    return {"kind": _PARTIAL, "apiVersion": _META, "metadata": obj["metadata"]}


def choose(request: Request, resource: Resource) -> View:
    """The first form of an Accept header that there is; 406 when there is none."""
    for media, wanted in request.accepted():
        if media not in ("application/json", "application/*", "*/*", ""):
            continue
        form, version = wanted.get("as", ""), wanted.get("v", "")
        if form == "Table" and version in ("v1", "v1beta1"):
            include = request.param("includeObject", "Metadata")
            return Table(f"meta.k8s.io/{version}", form, resource, include)
        if form in (_PARTIAL, _PARTIAL + "List"):
            return MetadataOnly(_META, _PARTIAL)
        if not form:
            return View(resource.api_version, resource.kind)
    raise status.not_acceptable("application/json")
