"""Methods on what a path names -> verbs on resources."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from lab.kube import parameters, selectors, status
from lab.kube.api import Api, copy_of, served_as
from lab.kube.changes.patch import patched
from lab.kube.changes.server_side_apply import Applier, apply_object
from lab.kube.kinds import ACCESS_REVIEW, POD
from lab.kube.paths import Target
from lab.kube.printing import views
from lab.kube.rules import schema
from lab.kube.rules.decoding import Write
from lab.kube.store import Key, Stored
from lab.kube.watch import Scope, Watch, bookmark
from lab.kube.wire.body import decode_body, decode_yaml
from lab.kube.wire.request import JSON, Request, json_answer

Object = dict[str, Any]
Selected = Callable[[Key, Stored], bool]


class Rest:
    """The resource paths of the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def serve(self, request: Request, target: Target) -> Response:
        """Do what a request asks for and answer it; ApiError for a refusal."""
        method = "GET" if request.method == "HEAD" else request.method
        if target.resource is ACCESS_REVIEW:
            return self._review(request, method)
        if method == "GET":
            if not target.name or request.flag("watch"):
                return self._list_or_watch(request, target)
            return self._get(request, target)
        if method == "POST":
            return self._post(request, target)
        if method == "PUT" and target.name:
            return self._put(request, target)
        if method == "PATCH" and target.name:
            return self._patch(request, target)
        if method == "DELETE" and not target.subresource:
            return self._delete(request, target)
        raise status.method_not_allowed()

    # reading ---------------------------------------------------------------------------------

    def _get(self, request: Request, target: Target) -> Response:
        stored = self._api.get(target.resource, target.key)
        if target.subresource == "scale":
            return json_answer(_scale_of(stored.object))
        return Response(views.choose(request, target.resource).one(stored), media_type=JSON)

    def _list_or_watch(self, request: Request, target: Target) -> Response:
        view, selected = views.choose(request, target.resource), _selection(request, target)
        if not request.flag("watch"):
            return self._list(request, target, view, selected)
        resource = target.resource
        scope = Scope(
            resource.qualified,
            target.namespace,
            selected,
            lambda stored, first: view.event(served_as(resource, stored), first),
            partial(bookmark, resource.api_version, resource.kind),
        )
        watch = Watch(self._api.store, scope, parameters.start(request))
        watch.check()
        return StreamingResponse(watch.lines(), media_type=JSON)

    def _list(
        self, request: Request, target: Target, view: views.View, selected: Selected
    ) -> Response:
        store, limit = self._api.store, request.number("limit")
        revision, after = parameters.continuation(request, store.revision)
        if after and store.since(revision) is None:
            raise status.expired(
                "The provided continue parameter is too old to display a consistent list result."
            )
        found = [
            (key, stored)
            for key, stored in store.all(target.resource.qualified, target.namespace)
            if (not after or key > after) and selected(key, stored)
        ]
        meta: Object = {"resourceVersion": str(revision)}
        if limit and len(found) > limit:
            token = msgspec.json.encode([revision, *found[limit - 1][0]])
            meta["continue"] = base64.urlsafe_b64encode(token).decode()
            meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        items = [served_as(target.resource, stored) for _, stored in found]
        return Response(view.many(items, meta), media_type=JSON)

    # writing ---------------------------------------------------------------------------------

    def _post(self, request: Request, target: Target) -> Response:
        obj = _object(decode_body(request))
        if target.subresource == "eviction":
            options = parameters.deletion(_part(obj, "deleteOptions"), request)
            self._api.delete(POD, target.key, options)
            return json_answer(_SUCCESS, 201)
        if target.name or bool(target.namespace) != target.resource.namespaced:
            raise status.method_not_allowed()
        write = parameters.write(request)
        stored = self._api.create(target.resource, target.namespace, obj, write)
        return self._written(request, target, stored, write, 201)

    def _review(self, request: Request, method: str) -> Response:
        """`kubectl auth can-i`: there is one user, and nothing that it may not do."""
        if method != "POST":
            raise status.method_not_allowed()
        asked = _object(decode_body(request))
        return json_answer({**asked, "status": {"allowed": True}}, 201)

    def _put(self, request: Request, target: Target) -> Response:
        obj, write = _object(decode_body(request)), parameters.write(request)
        if target.subresource == "scale":
            return self._put_scale(target, obj, write)
        if target.resource.custom and not _part(obj, "metadata").get("resourceVersion"):
            text = "must be specified for an update"
            cause = status.Cause.invalid("metadata.resourceVersion", 0, text)
            raise status.invalid(target.resource, target.name, [cause])
        return self._update(request, target, obj, write)

    def _patch(self, request: Request, target: Target) -> Response:
        write = parameters.write(request)
        if request.media == "application/apply-patch+yaml":
            return self._apply(request, target, write)
        change = decode_body(request)
        old = self._api.get(target.resource, target.key)
        if target.subresource == "scale":
            scale = patched(_scale_of(old.object), change, request.media, {})
            return self._put_scale(target, _object(scale), write)
        new = patched(copy_of(old), change, request.media, schema.of(target.resource))
        return self._update(request, target, _object(new), write)

    def _apply(self, request: Request, target: Target, write: Write) -> Response:
        applied = _object(decode_yaml(request.body))
        applier = Applier(request.param("fieldManager"), target.subresource, request.flag("force"))
        stored, created = apply_object(
            self._api, target.resource, target.key, applied, write, applier
        )
        return self._written(request, target, stored, write, 201 if created else 200)

    def _update(self, request: Request, target: Target, obj: Object, write: Write) -> Response:
        stored = self._api.update(
            target.resource, target.key, obj, write, subresource=target.subresource
        )
        return self._written(request, target, stored, write, 200)

    def _delete(self, request: Request, target: Target) -> Response:
        body = _object(decode_body(request)) if request.body else {}
        options = parameters.deletion(body, request)
        if not target.name:
            return self._delete_all(request, target, options)
        deleted = self._api.delete(target.resource, target.key, options)
        if "deletionTimestamp" in deleted.object["metadata"]:
            return Response(deleted.raw, media_type=JSON)
        details = status.details(target.resource, target.name)
        details["uid"] = deleted.object["metadata"]["uid"]
        return json_answer({**_SUCCESS, "details": details})

    def _delete_all(self, request: Request, target: Target, options: Any) -> Response:
        view, selected = views.choose(request, target.resource), _selection(request, target)
        listed = self._list(request, target, view, selected)
        for key, stored in self._api.store.all(target.resource.qualified, target.namespace):
            if selected(key, stored):
                self._api.delete(target.resource, key, options)
        return listed

    def _put_scale(self, target: Target, scale: Object, write: Write) -> Response:
        obj = self._api.fresh(target.resource, target.key)
        if wanted := _part(scale, "metadata").get("resourceVersion"):
            obj["metadata"]["resourceVersion"] = wanted
        obj["spec"]["replicas"] = _part(scale, "spec").get("replicas", 0)
        stored = self._api.update(target.resource, target.key, obj, write)
        return json_answer(_scale_of(stored.object))

    def _written(
        self, request: Request, target: Target, stored: Stored, write: Write, code: int
    ) -> Response:
        body = views.choose(request, target.resource).one(stored)
        answer = Response(body, code, media_type=JSON)
        for warning in write.warnings:
            answer.headers.append("warning", f'299 - "{_header(warning)}"')
        return answer


_SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def _selection(request: Request, target: Target) -> Selected:
    """What of a kind a list, a watch or a deletion is about."""
    labels = selectors.parse(request.param("labelSelector"))
    fields = selectors.parse_fields(request.param("fieldSelector"), target.resource.fields)

    def selected(key: Key, stored: Stored) -> bool:
        return (
            (not target.name or key[1] == target.name)
            and (not labels or selectors.matches(labels, stored.object["metadata"].get("labels")))
            and selectors.fields_match(fields, stored.object)
        )

    return selected


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise status.bad_request("the body is not an object")
    return value


def _part(obj: Object, name: str) -> Object:
    """An object inside an object; empty where there is none."""
    part = obj.get(name)
    if not isinstance(part, (dict, type(None))):
        raise status.bad_request(f"{name}: an object is expected")
    return part or {}


def _scale_of(obj: Object) -> Object:
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    wanted = selectors.from_object(obj["spec"].get("selector")) or ()
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": selectors.text(wanted),
        },
    }


def _header(text: str) -> str:
    plain = text.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else " " for c in plain)
