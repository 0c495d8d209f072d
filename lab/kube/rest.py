"""Methods on what a path names -> verbs on resources."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from lab.kube import parameters, selectors, status
from lab.kube.api import Api, copy_of, served_as
from lab.kube.changes.server_side_apply import apply_object
from lab.kube.kinds import ACCESS_REVIEW, NODE, POD
from lab.kube.paths import Target
from lab.kube.printing import views
from lab.kube.rules import schema
from lab.kube.rules.decoding import Write
from lab.kube.store import Key, Stored
from lab.kube.watch import Scope, Watch, bookmark
from lab.kube.wire.http import Answer, Request, decode_body, decode_yaml, json_answer

Object = dict[str, Any]


class Rest:
    """The resource paths of the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def serve(self, request: Request, target: Target) -> Answer:
        """Do what a request asks for and answer it; ApiError for a refusal."""
        collection = not target.name
        method = {"HEAD": "GET"}.get(request.method, request.method)
        if target.resource is ACCESS_REVIEW:
            return self._review(request, method)
        if method == "GET":
            if collection or request.flag("watch"):
                return self._list_or_watch(request, target)
            return self._get(request, target)
        if method == "POST":
            return self._post(request, target)
        if method == "PUT" and not collection:
            return self._put(request, target)
        if method == "PATCH" and not collection:
            return self._patch(request, target)
        if method == "DELETE" and not target.subresource:
            return self._delete(request, target)
        raise status.method_not_allowed()

    # reading ---------------------------------------------------------------------------------

    def _get(self, request: Request, target: Target) -> Answer:
        stored = self._api.get(target.resource, target.key)
        if target.subresource == "scale":
            return json_answer(_scale_of(stored.object))
        return Answer(body=_view(request, target).one(stored))

    def _list_or_watch(self, request: Request, target: Target) -> Answer:
        view = _view(request, target)
        resource = target.resource
        labels = selectors.parse(request.param("labelSelector"))
        fields = selectors.parse_fields(request.param("fieldSelector"), resource.fields)

        def selected(key: Key, stored: Stored) -> bool:
            return (
                (not target.name or key[1] == target.name)
                and (
                    not labels or selectors.matches(labels, stored.object["metadata"].get("labels"))
                )
                and all(term.matches(stored.object) for term in fields)
            )

        if not request.flag("watch"):
            return self._list(request, target, view, selected)
        scope = Scope(
            resource.qualified,
            target.namespace,
            selected,
            lambda stored, first: view.event(served_as(resource, stored), first),
            lambda revision, initial: bookmark(
                resource.api_version, resource.kind, revision, initial
            ),
        )
        watch = Watch(self._api.store, scope, parameters.start(request))
        watch.check()
        return Answer(body=watch.lines(), content_type="application/json")

    def _list(self, request: Request, target: Target, view: views.View, selected: Any) -> Answer:
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
        return Answer(body=view.many([served_as(target.resource, s) for _, s in found], meta))

    # writing ---------------------------------------------------------------------------------

    def _post(self, request: Request, target: Target) -> Answer:
        obj = _object(decode_body(request))
        write = parameters.write(request)
        if target.subresource == "binding":
            return self._bind(target, obj)
        if target.subresource == "eviction":
            options = parameters.deletion(obj.get("deleteOptions") or {}, request)
            self._api.delete(POD, target.key, options)
            return json_answer(_success(), 201)
        if target.name:
            raise status.method_not_allowed()
        if target.resource.namespaced and not target.namespace:
            raise status.method_not_allowed()
        stored = self._api.create(target.resource, target.namespace, obj, write)
        return self._written(request, target, stored, write, 201)

    def _review(self, request: Request, method: str) -> Answer:
        """`kubectl auth can-i`: there is one user, and nothing that it may not do."""
        if method != "POST":
            raise status.method_not_allowed()
        asked = _object(decode_body(request))
        return json_answer({**asked, "status": {"allowed": True}}, 201)

    def _put(self, request: Request, target: Target) -> Answer:
        obj = _object(decode_body(request))
        write = parameters.write(request)
        if target.subresource == "scale":
            return self._put_scale(target, obj, write)
        if target.resource.custom and not obj.get("metadata", {}).get("resourceVersion"):
            cause = status.Cause.invalid(
                "metadata.resourceVersion", 0, "must be specified for an update"
            )
            raise status.invalid(target.resource, target.name, [cause])
        if self._api.find(target.resource, target.key) is None and not target.subresource:
            raise status.not_found(target.resource, target.name)
        stored = self._api.update(
            target.resource, target.key, obj, write, subresource=target.subresource
        )
        return self._written(request, target, stored, write, 200)

    def _patch(self, request: Request, target: Target) -> Answer:
        media = request.headers.get("content-type", "").partition(";")[0].strip()
        write = parameters.write(request)
        if media == "application/apply-patch+yaml":
            applied = _object(decode_yaml(request.body))
            stored, created = apply_object(
                self._api, target.resource, target.key, applied, write,
                manager=request.param("fieldManager"), force=request.flag("force"),
                subresource=target.subresource,
            )  # fmt: skip
            return self._written(request, target, stored, write, 201 if created else 200)
        change = decode_body(request)
        old = self._api.get(target.resource, target.key)
        if target.subresource == "scale":
            scale = _scale_of(old.object)
            patched = parameters.patched(scale, change, media, {})
            return self._put_scale(target, _object(patched), write)
        before = copy_of(old)
        new = _object(parameters.patched(before, change, media, schema.of(target.resource)))
        stored = self._api.update(
            target.resource, target.key, new, write, subresource=target.subresource
        )
        return self._written(request, target, stored, write, 200)

    def _delete(self, request: Request, target: Target) -> Answer:
        body = _object(decode_body(request)) if request.body else {}
        options = parameters.deletion(body, request)
        if target.name:
            deleted = self._api.delete(target.resource, target.key, options)
            if "deletionTimestamp" in deleted.object["metadata"]:
                return Answer(body=deleted.raw)
            return json_answer(_success(target, deleted))
        listed = self._list_or_watch(request, target)
        labels = selectors.parse(request.param("labelSelector"))
        fields = selectors.parse_fields(request.param("fieldSelector"), target.resource.fields)
        for key, stored in self._api.store.all(target.resource.qualified, target.namespace):
            if selectors.matches(labels, stored.object["metadata"].get("labels")) and all(
                term.matches(stored.object) for term in fields
            ):
                self._api.delete(target.resource, key, options)
        return listed

    def _put_scale(self, target: Target, scale: Object, write: Write) -> Answer:
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or isinstance(replicas, bool) or not 0 <= replicas < 2**31:
            text = "must be greater than or equal to 0"
            cause = status.Cause.invalid("spec.replicas", replicas, text)
            raise status.invalid(target.resource, target.name, [cause])
        obj = self._api.fresh(target.resource, target.key)
        wanted = (scale.get("metadata") or {}).get("resourceVersion")
        if wanted:
            obj["metadata"]["resourceVersion"] = wanted
        obj["spec"]["replicas"] = replicas
        stored = self._api.update(target.resource, target.key, obj, write)
        return json_answer(_scale_of(stored.object))

    def _bind(self, target: Target, binding: Object) -> Answer:
        pod = self._api.fresh(POD, target.key)
        node = (binding.get("target") or {}).get("name", "")
        if pod["spec"].get("nodeName"):
            why = f"pod {target.name} is already assigned to node {pod['spec']['nodeName']}"
            raise status.conflict(POD, target.name, why)
        self._api.get(NODE, ("", node))
        pod["spec"]["nodeName"] = node
        self._api.update(POD, target.key, pod)
        return json_answer(_success(), 201)

    def _written(
        self, request: Request, target: Target, stored: Stored, write: Write, code: int
    ) -> Answer:
        warnings = [("warning", f'299 - "{_header(w)}"') for w in write.warnings]
        return Answer(code, _view(request, target).one(stored), headers=warnings)


def _view(request: Request, target: Target) -> views.View:
    accept = request.headers.get("accept", "")
    return views.choose(accept, target.resource, request.param("includeObject"))


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise status.bad_request("the body is not an object")
    return value


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


def _success(target: Target | None = None, deleted: Stored | None = None) -> Object:
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if target and deleted:
        body["details"] = {
            "name": target.name,
            "kind": target.resource.plural,
            "uid": deleted.object["metadata"]["uid"],
        }
        if target.resource.group:
            body["details"]["group"] = target.resource.group
    return body


def _header(text: str) -> str:
    plain = text.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else " " for c in plain)
