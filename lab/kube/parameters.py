"""Query parameters and option bodies -> typed options; 400 for what cannot be read."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from lab.kube import status
from lab.kube.rules.decoding import Write
from lab.kube.rules.deletion import Deletion
from lab.kube.store import Key
from lab.kube.watch import LONGEST, Start
from lab.kube.wire.request import Request

Object = dict[str, Any]


def write(request: Request) -> Write:
    dry_run = request.param("dryRun")
    if dry_run not in ("", "All"):
        raise status.bad_request(f'invalid dryRun value "{dry_run}": supported values: "All"')
    strictness = request.param("fieldValidation", "Warn")
    if strictness not in ("Strict", "Warn", "Ignore"):
        raise status.bad_request(f'invalid fieldValidation value "{strictness}"')
    return Write(dry_run=bool(dry_run), strictness=strictness)


def deletion(body: Object, request: Request) -> Deletion:
    """DeleteOptions; where body and query both say something, the body counts."""
    try:
        return msgspec.convert({**request.query_params, **body}, Deletion, strict=False)
    except msgspec.ValidationError as exc:
        raise status.bad_request(f"the DeleteOptions cannot be read: {exc}") from exc


def start(request: Request) -> Start:
    wanted = request.number("resourceVersion")
    initial = request.flag("sendInitialEvents")
    return Start(
        revision=None if initial or not wanted else wanted,
        initial=initial,
        bookmarks=request.flag("allowWatchBookmarks"),
        seconds=request.number("timeoutSeconds") or LONGEST,
    )


def continuation(request: Request, revision: int) -> tuple[int, Key | None]:
    token = request.param("continue")
    if not token:
        return revision, None
    try:
        first, namespace, name = msgspec.json.decode(
            base64.urlsafe_b64decode(token), type=tuple[int, str, str]
        )
    except (msgspec.DecodeError, binascii.Error, ValueError) as exc:
        raise status.bad_request("continue key is not valid") from exc
    return first, (namespace, name)
