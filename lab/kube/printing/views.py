"""The forms an object can be asked for in: itself, its metadata alone, or a Table for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from lab.kube import status
from lab.kube.kinds import Resource
from lab.kube.printing.table import columns_of, row_of
from lab.kube.store import Stored

Object = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class View(Protocol):
    """How objects become bytes."""

    def one(self, stored: Stored) -> bytes: ...

    def many(self, found: Sequence[Stored], meta: Object) -> bytes: ...

    def event(self, stored: Stored, first: bool) -> bytes: ...


@dataclass(frozen=True)
class Plain:
    """Whole objects: the bytes are those that the store made once."""

    resource: Resource

    def one(self, stored: Stored) -> bytes:
        return stored.raw

    def many(self, found: Sequence[Stored], meta: Object) -> bytes:
        head = _encode({
            "kind": self.resource.kind + "List",
            "apiVersion": self.resource.api_version,
            "metadata": meta,
        })  # fmt: skip
        return head[:-1] + b',"items":[' + b",".join(s.raw for s in found) + b"]}"

    def event(self, stored: Stored, first: bool) -> bytes:
        del first
        return stored.raw


@dataclass(frozen=True)
class MetadataOnly:
    """PartialObjectMetadata."""

    def one(self, stored: Stored) -> bytes:
        return _encode(_partial(stored.object))

    def many(self, found: Sequence[Stored], meta: Object) -> bytes:
        return _encode({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "items": [_partial(stored.object) for stored in found],
        })  # fmt: skip

    def event(self, stored: Stored, first: bool) -> bytes:
        del first
        return self.one(stored)


@dataclass(frozen=True)
class Table:
    """Rows for `kubectl get`; each carries as much of its object as was asked for."""

    resource: Resource
    include: str
    """None, Metadata or Object."""
    version: str = "v1"

    def one(self, stored: Stored) -> bytes:
        meta = {"resourceVersion": stored.object["metadata"]["resourceVersion"]}
        return self._table([stored], meta, columns=True)

    def many(self, found: Sequence[Stored], meta: Object) -> bytes:
        return self._table(found, meta, columns=True)

    def event(self, stored: Stored, first: bool) -> bytes:
        meta = {"resourceVersion": stored.object["metadata"]["resourceVersion"]}
        return self._table([stored], meta, columns=first)

    def _table(self, found: Sequence[Stored], meta: Object, *, columns: bool) -> bytes:
        attach = {"None": _nothing, "Object": _whole}.get(self.include, _partial)
        return _encode({
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self.version}",
            "metadata": meta,
            "columnDefinitions": columns_of(self.resource) if columns else [],
            "rows": [self._row(stored, attach) for stored in found],
        })  # fmt: skip

    def _row(self, stored: Stored, attach: Callable[[Object], Object | None]) -> Object:
        row: Object = {"cells": row_of(self.resource, stored.object)}
        shown = attach(stored.object)
        if shown is not None:
            row["object"] = shown
        return row


def _nothing(obj: Object) -> None:
    del obj


def _whole(obj: Object) -> Object:
    return obj


def _partial(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def choose(accept: str, resource: Resource, include: str) -> View:
    """The first form of an Accept header that there is; 406 when there is none."""
    for choice in accept.split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        wanted = dict(p.partition("=")[::2] for p in parameters)
        if media not in ("application/json", "application/*", "*/*", ""):
            continue
        form = wanted.get("as", "")
        if form == "Table" and wanted.get("v") in ("v1", "v1beta1"):
            return Table(resource, include or "Metadata", wanted["v"])
        if form in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return MetadataOnly()
        if not form:
            return Plain(resource)
    raise status.not_acceptable("application/json")
