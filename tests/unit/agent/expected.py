"""What a node's maps must say of a cluster, and what they do say: without the agent's own code.

Services and slices are bodies as the API has them; map entries are taken apart by `struct`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

Body = dict[str, Any]
Address = IPv4Address | IPv6Address
At = tuple[Address, int, int, int]
"""A frontend: address, port, protocol, scope."""
Pod = tuple[Address, int, int]
"""A backend: address, port, protocol."""
Held = Mapping[tuple[str, bytes], bytes]

NUMBERS = {"TCP": 6, "UDP": 17}
ALGORITHMS = {"random": 1, "maglev": 2}
NODE_PORT, EXT_LOCAL, AFFINITY, LOAD_BALANCER, ROUTABLE, SOURCE_RANGE = 2, 4, 16, 32, 64, 128
EXTERNAL_IP, INT_LOCAL, TWO_SCOPES, DENY = 1, 16, 32, 64


@dataclass(frozen=True)
class Seen:
    """A frontend as packets meet it."""

    flags: int
    flags2: int = 0
    taking: frozenset[Pod] = frozenset()
    ending: frozenset[Pod] = frozenset()
    affinity: int = 0
    algorithm: int = 0
    ranges: frozenset[tuple[str, int]] = frozenset()
    hashed: frozenset[Pod] = frozenset()
    """Backends in the Maglev table."""
    dying: frozenset[Pod] = field(default=frozenset(), compare=False)
    """Backends that terminate."""


@dataclass
class Node:
    """Whose maps they are, and how it balances."""

    name: str
    addresses: tuple[Address, ...]
    modern: bool


@dataclass
class Offered:
    """Backends of a port in one family: on all nodes, and on this one."""

    ready: dict[bool, set[Pod]] = field(default_factory=lambda: {False: set(), True: set()})
    ending: dict[bool, set[Pod]] = field(default_factory=lambda: {False: set(), True: set()})


def expected(services: Iterable[Body], slices: Iterable[Body], node: Node) -> dict[At, Seen]:
    """`services` from the oldest on: it has what several claim."""
    pieces, found, wildcards = list(slices), dict[At, Seen](), dict[At, Seen]()
    for service in services:
        of_service: dict[At, Seen] = {}
        for port in service["spec"]["ports"]:
            for flag, address, number in _places(service, port, node):
                of_service.update(_frontends(service, port, pieces, node, flag, address, number))
                if node.modern and flag in (0, LOAD_BALANCER):
                    wildcards[address, 0, 0, 0] = Seen(flag and flag | ROUTABLE)
        found = of_service | found
    return wildcards | found


def _places(service: Body, port: Body, node: Node) -> Iterator[tuple[int, Address, int]]:
    spec = service["spec"]
    if spec["clusterIP"] == "None":
        return
    balanced = spec["type"] == "LoadBalancer"
    ingress = [each["ip"] for each in service["status"]["ingress"]] if balanced else []
    node_port = port.get("nodePort")
    asked = [
        *((0, text, port["port"]) for text in spec["clusterIPs"]),
        *((EXTERNAL_IP, text, port["port"]) for text in spec["externalIPs"]),
        *((LOAD_BALANCER, text, port["port"]) for text in ingress),
        *((NODE_PORT, text, node_port) for text in ("0.0.0.0", "::", *node.addresses)),
    ]
    families = {int(family[-1]) for family in spec["ipFamilies"]}
    served = families & {address.version for address in node.addresses}
    for flag, text, number in asked:
        if number and ip_address(text).version in served:
            yield flag, ip_address(text), number


def _frontends(
    service: Body, port: Body, slices: list[Body], node: Node, flag: int, at: Address, number: int
) -> Iterator[tuple[At, Seen]]:
    spec, notes = service["spec"], service["metadata"]["annotations"]
    outside, inside = (spec[f"{side}TrafficPolicy"] == "Local" for side in ("external", "internal"))
    offered = _offered(service, port, slices, node, at.version)
    split = bool(flag) and outside != inside
    affinity = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    affinity = affinity if spec["sessionAffinity"] == "ClientIP" else 0
    ranges = spec["loadBalancerSourceRanges"] if flag == LOAD_BALANCER else []
    deny = notes.get("service.cilium.io/src-ranges-policy") == "deny"
    algorithm = ALGORITHMS.get(notes.get("service.cilium.io/lb-algorithm"), 0)
    for scope in (0, 1) if split else (0,):
        local = outside if flag and not scope else inside
        ready, ending = offered.ready[local], offered.ending[local] - offered.ready[local]
        hashes = algorithm == 2 or (node.modern and not algorithm)
        taking = frozenset(ready or ending)
        yield (
            (at, number, NUMBERS[port["protocol"]], scope),
            Seen(
                flags=flag
                | (EXT_LOCAL if flag and outside else 0)
                | (AFFINITY if affinity else 0)
                | (ROUTABLE if flag and int(at) else 0)
                | (SOURCE_RANGE if ranges else 0),
                flags2=(INT_LOCAL if inside else 0)
                | (TWO_SCOPES if split else 0)
                | (DENY if ranges and deny else 0),
                taking=taking,
                ending=frozenset(ending if ready else ()),
                dying=frozenset(ending),
                affinity=affinity,
                algorithm=algorithm,
                ranges=frozenset(
                    (text, 2 if deny else 1)
                    for text in ranges
                    if ip_network(text).version == at.version
                ),
                hashed=taking if hashes and flag and not scope and len(taking) > 1 else frozenset(),
            ),
        )


def _offered(service: Body, port: Body, slices: list[Body], node: Node, version: int) -> Offered:
    found, protocol = Offered(), port["protocol"]
    for piece in slices:
        mine = piece["metadata"]["labels"]["kubernetes.io/service-name"]
        if mine != service["metadata"]["name"] or piece["addressType"] != f"IPv{version}":
            continue
        for offer in piece["ports"]:
            if (offer["name"], offer["protocol"]) != (port["name"], protocol):
                continue
            for each in piece["endpoints"]:
                pod = (ip_address(each["addresses"][0]), offer["port"], NUMBERS[protocol])
                state, here = each["conditions"], each.get("nodeName") == node.name
                for local in (False, True) if here else (False,):
                    if state["ready"]:
                        found.ready[local].add(pod)
                    elif node.modern and state["terminating"] and state["serving"]:
                        found.ending[local].add(pod)
    return found


class Dump:
    """Map entries taken apart. AssertionError where one leads nowhere, or nothing leads to one."""

    def __init__(self, held: Held) -> None:
        self._slots: dict[tuple[At, int], tuple[int, ...]] = {}
        self._backends: dict[int, Pod] = {}
        self._answers: dict[int, tuple[Address, int]] = {}
        self._matches: set[tuple[int, int]] = set()
        self._ranges: set[tuple[int, str, int]] = set()
        self._tables: dict[int, set[int]] = {}
        self.dying: set[Pod] = set()
        for (name, key), value in held.items():
            self._read(name.replace("lb6", "lb4"), key, value)
        self.frontends = {at: self._seen(at) for at, slot in self._slots if not slot}

    def beyond(self) -> list[Any]:
        """Slots that no frontend counts."""
        return [(at, slot) for at, slot in self._slots if slot > self._count(at)]

    def unused(self) -> list[Any]:
        """Ids that no frontend has: only those have some that another service keeps out."""
        numbers = {value[2] for (_, slot), value in self._slots.items() if not slot}
        used = {value[0] for (_, slot), value in self._slots.items() if slot}
        hanging = {number for number, *_ in (*self._matches, *self._ranges)} | set(self._tables)
        return [
            *(self._backends.keys() - used),
            *((self._answers.keys() | hanging) - numbers),
        ]

    def _count(self, at: At) -> int:
        slot = self._slots.get((at, 0))
        return slot[1] + slot[5] if slot else 0

    def _read(self, name: str, key: bytes, value: bytes) -> None:
        if name == "cilium_lb4_services_v2":
            port, (slot, proto, scope) = _port(key[-8:]), struct.unpack("<HBB", key[-6:-2])
            at = (ip_address(key[:-8]), port, proto, scope)
            self._slots[at, slot] = struct.unpack("<IHHBBH", value)
        elif name == "cilium_lb4_backends_v3":
            pod = (ip_address(value[:-8]), _port(value[-8:]), value[-6])
            assert pod not in self._backends.values(), f"{pod} has two ids"
            self._backends[int.from_bytes(key, "little")] = pod
            self.dying |= {pod} if value[-5] else set()
        elif name == "cilium_lb4_reverse_nat":
            answer = (ip_address(value[:-2]), _port(value[-2:]))
            self._answers[int.from_bytes(key, "little")] = answer
        elif name == "cilium_lb_affinity_match":
            backend, number = struct.unpack("<IHxx", key)
            self._matches.add((number, backend))
        elif name == "cilium_lb4_source_range":
            length, number = struct.unpack("<IHxx", key[:8])
            prefix = f"{ip_address(key[8:])}/{length - 32}"
            self._ranges.add((number, prefix, value[0]))
        else:
            table = set(struct.unpack(f"<{len(value) // 4}I", value))
            self._tables[int.from_bytes(key, "little")] = table

    def _seen(self, at: At) -> Seen:
        word, count, number, flags, flags2, ending = self._slots[at, 0]
        slots = [self._slots[at, n + 1] for n in range(count + ending)]
        ids = [slot[0] for slot in slots]
        assert not at[1] or self._answers[number] == at[:2], f"answers of {at} come from elsewhere"
        assert {slot[2] for slot in slots} <= {number}, f"slots of {at} are another's"
        matched = {backend for known, backend in self._matches if known == number}
        assert matched == (set(ids) if flags & AFFINITY else set()), f"clients of {at} stay nowhere"
        pods = [self._backends[each] for each in ids]
        assert len(set(pods)) == len(pods), f"{at} has a backend twice"
        return Seen(
            flags,
            flags2,
            frozenset(pods[:count]),
            frozenset(pods[count:]),
            word & 0xFFFFFF,
            word >> 24,
            frozenset(
                (prefix, policy) for known, prefix, policy in self._ranges if known == number
            ),
            frozenset(self._backends[each] for each in self._tables.get(number, ())),
        )


def _port(raw: bytes) -> int:
    return int.from_bytes(raw[:2], "big")
