"""What has to happen until a lab is up, as a table of phases; imported in the supervisor only."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from lab.emulation.build import build
from lab.errors import InputError
from lab.frr import daemons
from lab.sandbox.control import Handler
from lab.sandbox.environment import write_commands
from lab.sandbox.phases import Phase
from lab.sandbox.supervisor import Site


def phases(site: Site) -> Sequence[Phase]:
    """The table for a lab: a network with routing, and a cluster on it if its plan has one.

    `aside` phases overlap with those in the main thread: code is imported and secrets are made
    while the network is built, the API server starts while FRR does.
    """
    return (
        Phase("network", lambda: _build(site)),
        Phase("routing", lambda: _route(site), after=("network",)),
    )


def handlers(site: Site) -> Mapping[str, Handler]:
    """What a running lab can be asked to do to itself."""

    def stop_service(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """End a service for good, by SIGKILL when `hard`."""
        hard = bool(request.get("hard"))
        site.services.stop(_text(request, "name"), signal.SIGKILL if hard else signal.SIGTERM)
        return {}

    def start_service(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start a stopped service again."""
        site.services.resume(_text(request, "name"))
        return {}

    return {"stop-service": stop_service, "start-service": start_service}


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise InputError(f"the request needs {field!r}, a string")
    return value


def _build(site: Site) -> None:
    write_commands(site.run)
    site.holders = build(site.plan, site.run.path, lambda words: site.note("network", words))


def _route(site: Site) -> None:
    daemons.start(site.plan, site.holders, site.run.path)
