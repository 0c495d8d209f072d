"""What a running lab can be asked to do to itself, beside telling its status."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from lab.emulation import wires
from lab.errors import InputError
from lab.frr import daemons
from lab.sandbox.control import Handler
from lab.sandbox.journal import Journal
from lab.sandbox.member import Member
from lab.sandbox.site import Site
from lab.topology.plan import PlannedNode


def handlers(site: Site) -> Mapping[str, Handler]:
    """Handlers for the control socket; each undoes another one.

    stop-service name [hard]      start-service name
    crash-node node               boot-node node
    cut-link node interface       mend-link node interface
    part-nodes one other          join-nodes one other
    impair-wire node interface    restore-wire node interface
      trouble amount                trouble
    note-fault words alters undo  forget-fault words
                                  start-routing node
    standing-faults
    """
    faults = _Faults(site)
    journal = Journal()
    return {
        "stop-service": faults.stop_service,
        "start-service": faults.start_service,
        "crash-node": faults.crash_node,
        "boot-node": faults.boot_node,
        "cut-link": faults.cut_link,
        "mend-link": faults.mend_link,
        "part-nodes": faults.part_nodes,
        "join-nodes": faults.join_nodes,
        "impair-wire": faults.impair_wire,
        "restore-wire": faults.restore_wire,
        "start-routing": faults.start_routing,
        "note-fault": journal.note,
        "forget-fault": journal.forget,
        "standing-faults": journal.standing,
    }


class _Faults:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._wires = wires.Wires()

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
        self._site.network.unplug(node.name)  # or the kernel would end the services' connections
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

    def part_nodes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let nothing pass between two groups of nodes."""
        one, other = self._group(request, "one"), self._group(request, "other")
        network = self._site.network
        ports = [network.port(node.name, leg.name) for node in other for leg in node.interfaces]
        wires.part(one, other, [port.name for port in ports])
        return {}

    def join_nodes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let everything pass between them again."""
        wires.join(self._group(request, "one"), self._group(request, "other"))
        return {}

    def impair_wire(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lose, corrupt or hold back packets on an interface's cable."""
        amount = request.get("amount")
        if not isinstance(amount, int) or amount < 0:
            raise InputError(f"the request needs 'amount', a whole number, not {amount!r}")
        self._wires.impair(self._port(request), _trouble(request), amount)
        return {}

    def restore_wire(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the cable right."""
        self._wires.restore(self._port(request), _trouble(request))
        return {}

    def start_routing(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start those of a node's FRR daemons that have died."""
        node = self._node(request)
        daemons.start(self._site.plan, self._site.network, self._site.run.path, [node.name])
        return {}

    def _set_link(self, request: Mapping[str, Any], *, up: bool) -> None:
        node, name = self._leg(request)
        self._site.network.set_link(node, name, up=up)

    def _port(self, request: Mapping[str, Any]) -> int:
        return self._site.network.port(*self._leg(request)).index

    def _leg(self, request: Mapping[str, Any]) -> tuple[str, str]:
        node, name = self._node(request), _text(request, "interface")
        known = [interface.name for interface in node.interfaces]
        if name not in known:
            raise InputError(f"{node.name} has no interface {name!r}; it has {', '.join(known)}")
        return node.name, name

    def _group(self, request: Mapping[str, Any], field: str) -> Sequence[PlannedNode]:
        names = request.get(field)
        if not isinstance(names, list) or not names:
            raise InputError(f"the request needs {field!r}, a list of nodes")
        return [self._site.plan.node(name) for name in names]

    def _node(self, request: Mapping[str, Any]) -> PlannedNode:
        return self._site.plan.node(_text(request, "node"))

    def _member(self, node: PlannedNode) -> Member:
        return Member(self._site.run, self._site.plan, node)


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise InputError(f"the request needs {field!r}, a string")
    return value


def _trouble(request: Mapping[str, Any]) -> wires.Trouble:
    name = _text(request, "trouble")
    try:
        return wires.Trouble[name.upper()]
    except KeyError as exc:
        known = ", ".join(trouble.name.lower() for trouble in wires.Trouble)
        raise InputError(f"a wire has no trouble {name!r}; it may have {known}") from exc
