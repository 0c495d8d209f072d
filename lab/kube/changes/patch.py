"""Patches by their media type: JSON patch (RFC 6902), merge patch (RFC 7386), strategic. Pure."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from lab.kube.changes.strategic import strategic
from lab.kube.rules.schema import Schema
from lab.kube.status import ApiError, bad_request, unsupported_media


def patched(obj: Any, change: Any, media: str, schema: Schema) -> Any:
    """An object after a patch of some media type; 415 for a type that is none of a patch."""
    if media == "application/json-patch+json":
        return json_patch(obj, change)
    if media == "application/merge-patch+json":
        return merge(obj, change)
    if media == "application/strategic-merge-patch+json":
        return strategic(obj, change, schema)
    raise unsupported_media(
        "application/json-patch+json, application/merge-patch+json, "
        "application/strategic-merge-patch+json, application/apply-patch+yaml"
    )


def json_patch(obj: dict[str, Any], operations: Any) -> Any:
    """Apply a list of operations; 422 when one cannot be, 400 when it is no patch."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        return jsonpatch.JsonPatch(operations).apply(obj)
    except (jsonpatch.JsonPatchConflict, jsonpatch.JsonPatchTestFailed) as exc:
        raise ApiError(422, "Invalid", f"the server rejected our request: {exc}") from exc
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as exc:
        raise bad_request(f"error decoding patch: {exc}") from exc
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as exc:
        # jsonpatch trusts the shapes inside an operation.
        raise bad_request(f"error decoding patch: {type(exc).__name__}: {exc}") from exc


def merge(target: Any, change: Any) -> Any:
    """RFC 7386: null deletes, objects merge, everything else replaces."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result
