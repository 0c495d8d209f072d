"""What a running lab can be asked to do to itself, beside telling its status."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from lab.errors import InputError
from lab.frr import daemons
from lab.sandbox.control import Handler
from lab.sandbox.member import Member
from lab.sandbox.site import Site
from lab.topology.plan import PlannedNode


def handlers(site: Site) -> Mapping[str, Handler]:
    """Handlers for the control socket; each undoes another one.

    stop-service name [hard]      start-service name
    crash-node node               boot-node node
    cut-link node interface       mend-link node interface
                                  start-routing node
    """
    faults = _Faults(site)
    return {
        "stop-service": faults.stop_service,
        "start-service": faults.start_service,
        "crash-node": faults.crash_node,
        "boot-node": faults.boot_node,
        "cut-link": faults.cut_link,
        "mend-link": faults.mend_link,
        "start-routing": faults.start_routing,
    }


class _Faults:
    def __init__(self, site: Site) -> None:
        self._site = site

    def stop_service(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """End a service for good: by SIGTERM, or SIGKILL when `hard`."""
        number = signal.SIGKILL if request.get("hard") else signal.SIGTERM
        self._site.services.stop(_text(request, "name"), number)
        return {}

    def start_service(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start a stopped service again."""
        self._site.services.resume(_text(request, "name"))
        return {}

    def crash_node(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Power off: every process of the node is killed, its links are gone, nobody is told."""
        node = self._node(request)
        for service in self._member(node).services(0):
            self._site.services.stop(service.name, signal.SIGKILL)
        self._site.network.crash(node.name)
        self._site.save()
        return {}

    def boot_node(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Power on a crashed node: links, FRR, services. What was in its memory is lost."""
        node = self._node(request)
        holder = self._site.network.boot(node.name)
        daemons.start(self._site.plan, self._site.network, self._site.run.path, [node.name])
        for service in self._member(node).services(holder):
            self._site.services.start(service)
        self._site.save()
        return {"holder": holder}

    def cut_link(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pull the cable of a node's interface."""
        self._set_link(request, up=False)
        return {}

    def mend_link(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the cable in again."""
        self._set_link(request, up=True)
        return {}

    def start_routing(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start those of a node's FRR daemons that have died."""
        node = self._node(request)
        daemons.start(self._site.plan, self._site.network, self._site.run.path, [node.name])
        return {}

    def _set_link(self, request: Mapping[str, Any], *, up: bool) -> None:
        node, name = self._node(request), _text(request, "interface")
        known = [interface.name for interface in node.interfaces]
        if name not in known:
            raise InputError(f"{node.name} has no interface {name!r}; it has {', '.join(known)}")
        self._site.network.set_link(node.name, name, up=up)

    def _node(self, request: Mapping[str, Any]) -> PlannedNode:
        name = _text(request, "node")
        try:
            return self._site.plan.node(name)
        except KeyError as exc:
            raise InputError(str(exc.args[0])) from exc

    def _member(self, node: PlannedNode) -> Member:
        return Member(self._site.run, self._site.plan, node)


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise InputError(f"the request needs {field!r}, a string")
    return value
