"""Whatever happened to a cluster, a node's maps say what it is now, and nothing else.

Random histories of services and slices as watches tell them: many changes at once, deletions with
re-creation under the same name, writes that fail, agents that are killed between two writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any, cast

import pytest
from lightkube.resources.core_v1 import Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.cluster import Cluster
from lab.agent.complaints import Complaints
from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.services.balancing import Balancing
from lab.agent.services.entries import Entries
from lab.agent.services.remembered import NOTHING, LastIds
from lab.agent.services.table import Operation
from lab.agent.services.translate import Place
from lab.agent.watch import key
from lab.errors import BpfError
from tests.unit.agent.expected import Body, Dump, Node, expected
from tests.unit.agent.test_announcing import NOBODY

SEEDS = 4
STEPS = 25
ME, OTHER = "k8s-worker1", "k8s-worker2"
ADDRESSES = (IPv4Address("192.168.1.21"), IPv6Address("fd00::21"))
PROFILES = {
    "cilium-1.10": profile("cilium-1.10", {}),
    "modern": profile("modern", {"maglev_size": "251", "mode": "snat"}),
}
OWN, SHARED = False, True
"""Do services claim the same addresses and ports?"""


class Maps:
    """A node's maps, whose writing fails after `patience` operations."""

    def __init__(self) -> None:
        self.held: Entries = {}
        self.patience: int | None = None

    def services(self) -> Entries:
        return dict(self.held)

    def remembered(self) -> LastIds:
        return NOTHING

    def carry_out(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            if self.patience == 0:
                raise BpfError("writing", 7)
            self.patience = None if self.patience is None else self.patience - 1
            if operation.value is None:
                del self.held[operation.map, operation.key]
            else:
                self.held[operation.map, operation.key] = operation.value


class History:
    """A cluster, and a node that follows it."""

    def __init__(self, seed: int, name: str, *, shared: bool) -> None:
        self.random = Random(seed)
        self.maps = Maps()
        self._profile, self._shared = PROFILES[name], shared
        self._node = Node(ME, ADDRESSES, modern=name == "modern")
        self._services: dict[str, Body] = {}
        self._slices: dict[str, Body] = {}
        self._age = 0
        self.start()

    def start(self) -> None:
        """A new agent, which lists what there is."""
        self._cluster = Cluster(NOBODY, lambda _, name: self._balancing.note(name))
        maps, complaints = cast(NodeMaps, self.maps), Complaints(NOBODY, ME, lambda _: None)
        self._balancing = Balancing(
            self._cluster, maps, Place(ME, ADDRESSES, self._profile), complaints
        )
        for service in sorted(self._services.values(), key=_age):
            self._tell(Service, service)
        for piece in self._slices.values():
            self._tell(EndpointSlice, piece)
        self._cluster.services.complete = self._cluster.slices.complete = True

    def happen(self) -> None:
        """Something, or a few things that the agent hears of at once."""
        for _ in range(self.random.randint(1, 4)):
            number = self.random.randrange(3)
            if self.random.random() < 0.5:
                self._put(EndpointSlice, self._slice(self.random.randrange(5)))
            else:
                if self.random.random() < 0.3:
                    self._delete(f"default/s{number}")
                if self.random.random() < 0.8:
                    self._put(Service, self._service(number))

    def settle(self, patience: int | None = None) -> bool:
        """Did all writes succeed?"""
        self.maps.patience = patience
        try:
            self._balancing.settle()
        except BpfError:
            return False
        return True

    def end(self) -> None:
        for name in list(self._services):
            self._delete(name)
        self.settle()

    def check(self) -> None:
        dump, oldest_first = Dump(self.maps.held), sorted(self._services.values(), key=_age)
        wanted = expected(oldest_first, self._slices.values(), self._node)
        assert dump.frontends == wanted
        assert dump.beyond() == []
        if not self._shared:
            assert dump.unused() == []
            assert dump.dying == {pod for each in wanted.values() for pod in each.dying}

    def _delete(self, name: str) -> None:
        if self._services.pop(name, None):
            self._cluster.services.objects.pop(name)
            self._cluster.services._changed(name)

    def _put(self, kind: Any, body: Body) -> None:
        of_kind = self._services if kind is Service else self._slices
        of_kind[f"default/{body['metadata']['name']}"] = body
        self._tell(kind, body)

    def _tell(self, kind: Any, body: Body) -> None:
        mirror: Any = self._cluster.services if kind is Service else self._cluster.slices
        status = {"loadBalancer": body["status"]} if kind is Service else {}
        made = kind.from_dict({**deepcopy(body), "status": status})
        mirror.objects[key(made)] = made
        mirror._changed(key(made))

    def _service(self, number: int) -> Body:
        """A new service, or one that changed in some ways."""
        pick, old = self.random.choice, self._services.get(f"default/s{number}")
        self._age += 0 if old else 1
        family, where = pick((["IPv4"], ["IPv6"], ["IPv4", "IPv6"])), 0 if self._shared else number
        new: dict[str, Any] = {
            "type": pick(("LoadBalancer", "LoadBalancer", "NodePort", "ClusterIP")),
            "ipFamilies": family,
            "ports": self._ports(number),
            "externalIPs": self.random.sample((f"172.16.2{where}.0", f"fd2{where}::1"), 1),
            "externalTrafficPolicy": pick(("Cluster", "Local")),
            "internalTrafficPolicy": pick(("Cluster", "Local")),
            "sessionAffinity": pick(("None", "ClientIP")),
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": pick((1, 10800, 86400))}},
            "loadBalancerSourceRanges": pick(([], ["10.0.0.0/8"], ["10.1.0.0/16", "fd00::/8"])),
        }
        spec = new | ({name: old["spec"][name] for name in self._kept(new)} if old else {})
        cluster_ips = {"IPv4": f"10.96.0.{number + 1}", "IPv6": f"fd96::{number + 1}"}
        headless = spec["type"] == "ClusterIP" and self.random.random() < 0.2
        spec["clusterIPs"] = ["None"] if headless else [cluster_ips[f] for f in spec["ipFamilies"]]
        spec["clusterIP"] = spec["clusterIPs"][0]
        if spec["type"] == "ClusterIP":
            spec["ports"] = [{**port, "nodePort": None} for port in spec["ports"]]
        ingress = [{"ip": f"172.16.1{where}.{pick((0, 1))}"}, {"ip": f"fd1{where}::1"}]
        notes = {
            "service.cilium.io/lb-algorithm": pick(("", "random", "maglev", "fastest")),
            "service.cilium.io/src-ranges-policy": pick(("allow", "deny")),
        }
        meta = old["metadata"] if old else {"name": f"s{number}", "namespace": "default"}
        created = meta.get("creationTimestamp", f"2026-11-26T00:{self._age // 3:02}:00Z")
        meta = {**meta, "annotations": notes, "creationTimestamp": created}
        return {"metadata": meta, "spec": spec, "status": {"ingress": pick(([], ingress))}}

    def _kept(self, fields: Body) -> list[str]:
        return [name for name in fields if self.random.random() < 0.7]

    def _ports(self, number: int) -> list[Body]:
        """TCP and UDP may have the same number; a name may be another port's of before."""
        kinds = self.random.sample(
            [(80, "TCP"), (80, "UDP"), (81, "TCP")], self.random.randint(1, 3)
        )
        return [
            {"name": name, "port": at, "protocol": kind, "nodePort": 30000 + 100 * number + at}
            for name, (at, kind) in zip("abc", kinds, strict=False)
        ]

    def _slice(self, number: int) -> Body:
        """A service has several; an endpoint may be in two of them."""
        kind = "IPv6" if number == 4 else "IPv4"
        offered = [
            (self.random.choice("abc"), self.random.choice(("TCP", "UDP"))) for _ in range(3)
        ]
        return {
            "metadata": {
                "name": f"slice{number}",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": f"s{self.random.randrange(3)}"},
            },
            "addressType": kind,
            "ports": [
                {"name": a, "protocol": b, "port": 8080 + len(b + a) % 2} for a, b in offered
            ],
            "endpoints": [
                self._endpoint(f"10.0.1.{n}" if kind == "IPv4" else f"fd01::{n}")
                for n in self.random.sample(range(1, 6), self.random.randint(0, 4))
            ],
        }

    def _endpoint(self, address: str) -> Body:
        ready, serving, ending = self.random.choice(
            [(True, True, False)] * 3 + [(False, True, True), (False, False, True), (False,) * 3]
        )
        conditions = {"ready": ready, "serving": serving, "terminating": ending}
        where = self.random.choice(({"nodeName": ME}, {"nodeName": OTHER}, {}))
        return {"addresses": [address], "conditions": conditions, **where}


def _age(service: Body) -> tuple[str, str]:
    return service["metadata"]["creationTimestamp"], service["metadata"]["name"]


@pytest.mark.parametrize("shared", [OWN, SHARED], ids=["own", "shared"])
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_maps_say_what_the_cluster_is(seed: int, name: str, shared: bool) -> None:
    history = History(seed, name, shared=shared)
    for _ in range(STEPS):
        history.happen()
        if history.random.random() < 0.3 and not history.settle(history.random.randint(0, 20)):
            if history.random.random() < 0.5:
                history.start()  # the agent was killed
            history.happen()
        history.settle()
        history.check()
    history.end()
    assert history.maps.held == {}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_agent_that_is_started_anew_changes_nothing(seed: int, name: str) -> None:
    history = History(seed, name, shared=OWN)
    for _ in range(STEPS // 2):
        history.happen()
        history.settle()
        before = dict(history.maps.held)
        history.start()
        history.settle()
        assert history.maps.held == before
