"""Kubernetes' way to say no: a `Status` object with code, reason and message.

`ApiError` is raised by everything below the HTTP layer, which alone turns it into an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lab.errors import LabError
from lab.kube.kinds import Resource

REQUIRED = "FieldValueRequired"


@dataclass(frozen=True)
class Cause:
    """One mistake in an object: the field's path, Kubernetes' reason, and words."""

    field: str
    reason: str
    message: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> Cause:
        return cls(field, REQUIRED, "Required value" + (f": {detail}" if detail else ""))

    @classmethod
    def invalid(cls, field: str, value: object, detail: str) -> Cause:
        return cls(field, "FieldValueInvalid", f"Invalid value: {_quote(value)}: {detail}")

    @classmethod
    def unsupported(cls, field: str, value: object, supported: Sequence[str]) -> Cause:
        choices = ", ".join(f'"{choice}"' for choice in supported)
        detail = f"Unsupported value: {_quote(value)}: supported values: {choices}"
        return cls(field, "FieldValueNotSupported", detail)

    @classmethod
    def duplicate(cls, field: str, value: object) -> Cause:
        return cls(field, "FieldValueDuplicate", f"Duplicate value: {_quote(value)}")

    @classmethod
    def forbidden(cls, field: str, detail: str) -> Cause:
        return cls(field, "FieldValueForbidden", f"Forbidden: {detail}")


class ApiError(LabError):
    """A refused request, ready to be sent as a Status."""

    def __init__(
        self, code: int, reason: str, message: str, about: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        self.details = about or {}
        super().__init__(message)

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            body["details"] = self.details
        return body


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def no_such_path() -> ApiError:
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message)


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details(resource, name))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message)


def not_acceptable(supported: str) -> ApiError:
    message = f"only the following media types are accepted: {supported}"
    return ApiError(406, "NotAcceptable", message)


def unsupported_media(supported: str) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + supported)


def too_large(limit: int) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"limit is {limit} bytes")


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details(resource, name))


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """Every mistake of one object in one answer."""
    lines = [f"{cause.field}: {cause.message}" for cause in causes]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    title = resource.kind + (f".{resource.group}" if resource.group else "")
    about = {**details(resource, name), "kind": resource.kind, "causes": told(causes)}
    return ApiError(422, "Invalid", f'{title} "{name}" is invalid: {text}', about)


def told(causes: Sequence[Cause]) -> list[dict[str, str]]:
    """Mistakes as a Status lists them."""
    return [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]


def details(resource: Resource, name: str) -> dict[str, Any]:
    """Which object a Status is about."""
    about = {"name": name, "group": resource.group, "kind": resource.plural}
    return {field: text for field, text in about.items() if text}


def _quote(value: object) -> str:
    """A value as messages show it: what is no plain word is JSON."""
    return msgspec.json.encode(value).decode()
