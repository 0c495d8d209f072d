"""An object as a client sent it: of the right version and kind, of known fields, of their types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.kube import status
from lab.kube.kinds import Resource
from lab.kube.rules import schema
from lab.kube.status import Cause

Object = dict[str, Any]


@dataclass
class Write:
    """How a client wants to write, and the warnings it gets back."""

    dry_run: bool = False
    strictness: str = "Warn"
    """fieldValidation: Strict refuses unknown fields, Warn reports them, Ignore drops them."""
    trusted: bool = False
    """One of our own controllers: its objects need no schema walk, and may bring a status."""
    warnings: list[str] = field(default_factory=list)


TRUSTED = Write(trusted=True)


def decode(resource: Resource, obj: Object, write: Write) -> list[Cause]:
    """Check an object that a client sent, in place: unknown fields go, plain defaults come.

    Returns values that may not be; what the other rules could not be asked about (wrong types,
    missing fields) is an ApiError.
    """
    title = f'{resource.kind} in version "{resource.version}"'
    for name, wanted in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if obj.setdefault(name, wanted) != wanted:
            raise status.bad_request(
                f"the {name} in the data ({obj[name]}) does not match the expected {name} "
                f"({wanted})"
            )
    if write.trusted:
        return []
    findings = schema.check(resource, obj)
    refusal = f"{title} cannot be handled as a {resource.kind}: "
    if findings.types:
        raise status.bad_request(refusal + ", ".join(findings.types))
    unknown = [f'unknown field "{path}"' for path in findings.unknown]
    if unknown and write.strictness == "Strict":
        raise status.bad_request(refusal + "strict decoding error: " + ", ".join(unknown))
    if write.strictness == "Warn":
        write.warnings += unknown
    if any(cause.reason == status.REQUIRED for cause in findings.causes):
        name = (obj.get("metadata") or {}).get("name", "")
        raise status.invalid(resource, name, findings.causes)
    return findings.causes
