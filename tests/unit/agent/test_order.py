"""From any set of services to any other, write by write: no packet sees half of a service.

Random sets of services; after every single write to the maps all that the programs may find in
them is looked at (`lookups`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import product
from random import Random

import pytest

from lab.agent.profile import Profile, profile
from lab.agent.services.entries import Entries
from lab.agent.services.model import Backend, Balanced, Frontend
from lab.agent.services.remembered import LastIds
from lab.agent.services.table import Operation, Table
from lab.agent.services.translate import Place, balance
from lab.bpf.codes import Scope
from tests.unit.agent.lookups import Asked, Lookups, Outcome
from tests.unit.agent.objects import endpoint, endpoint_slice, service

PROFILES = (profile("cilium-1.10", {}), profile("modern", {"maglev_size": "251"}))
NAMES = ("a", "b", "c")
NODE = IPv4Address("192.168.1.21")
ME, OTHER = "k8s-worker1", "k8s-worker2"
VIPS = ("172.16.10.0", "172.16.10.1")
EXTERNAL = ("172.16.20.0", "172.16.20.1")
CLIENTS = tuple(IPv4Address(text) for text in ("10.9.9.9", "192.168.10.11", "192.168.11.11"))
RANGES = ((), ("192.168.10.0/24",), ("192.168.0.0/16",), ("10.0.0.0/8", "192.168.11.0/24"))
PORTS = ({"http": 80}, {"http": 81}, {"http": 80, "alt": 81}, {"http": 81, "alt": 80})
TARGETS = {"http": 8080, "alt": 8081}

SEEDS = 4
"""Of walks through five sets of services."""

Services = dict[str, tuple[Balanced, ...]]
Outcomes = dict[Asked, set[Outcome]]


def some_services(random: Random, chosen: Profile) -> Services:
    """Up to three services that do not claim the same frontends."""
    made: Services = {}
    taken: set[Frontend] = set()
    for number, name in enumerate(NAMES):
        if random.random() < 0.25:
            continue
        balanced = some_service(random, chosen, name, number)
        claimed = {each.frontend for each in balanced if each.frontend}
        if not claimed & taken:
            made[name] = balanced
            taken |= claimed
    return made


def some_service(random: Random, chosen: Profile, name: str, number: int) -> tuple[Balanced, ...]:
    ports = random.choice(PORTS)
    written = [
        {"name": port, "port": at, "protocol": "TCP", "nodePort": node_port(number, TARGETS[port])}
        for port, at in ports.items()
    ]
    notes = {
        "service.cilium.io/lb-algorithm": random.choice(("", "random", "maglev")),
        "service.cilium.io/src-ranges-policy": random.choice(("allow", "deny")),
    }
    asked = service(
        name,
        vip=random.choice((None, *VIPS)),
        ports=written,
        annotations=notes,
        clusterIP=f"10.96.0.{number}",
        externalIPs=random.sample(EXTERNAL, random.randint(0, 2)),
        externalTrafficPolicy=random.choice(("Cluster", "Local")),
        internalTrafficPolicy=random.choice(("Cluster", "Local")),
        sessionAffinity=random.choice(("None", "ClientIP")),
        loadBalancerSourceRanges=list(random.choice(RANGES)),
    )
    pods = [
        endpoint(
            f"10.0.1.{n}", node=random.choice((ME, OTHER)), ready=state < 2, terminating=state > 1
        )
        for n in range(5)
        if (state := random.randint(0, 3))
    ]
    offered = [{"name": port, "port": at, "protocol": "TCP"} for port, at in TARGETS.items()]
    slices = [endpoint_slice(*pods, ports=offered, service_name=name)]
    return balance(asked, slices, Place(ME, (NODE,), chosen))


def node_port(service: int, target: int) -> int:
    return 30000 + 1000 * service + target % 1000


def questions() -> Iterator[Asked]:
    cluster = [f"10.96.0.{number}" for number in range(len(NAMES))]
    for address, port in product(map(IPv4Address, (*VIPS, *EXTERNAL, *cluster)), (80, 81)):
        for client in CLIENTS:
            yield Asked(address, port, client, Scope.EXTERNAL)
        yield Asked(address, port, CLIENTS[0], Scope.INTERNAL)
    for number, target in product(range(len(NAMES)), TARGETS.values()):
        for scope in Scope:
            yield Asked(NODE, node_port(number, target), CLIENTS[0], scope)


QUESTIONS = tuple(questions())


@dataclass
class Node:
    """Maps, and what connection tracking keeps of the flows that went through them."""

    profile: Profile
    held: Entries = field(default_factory=dict)
    numbers: dict[int, tuple[IPv4Address, int]] = field(default_factory=dict)
    """What the ids of frontends meant that flows have."""
    backends: dict[int, Backend] = field(default_factory=dict)
    """The same of backends."""

    def remembered(self) -> LastIds:
        return LastIds(max(self.numbers, default=0), max(self.backends, default=0))

    def apply(self, operation: Operation) -> None:
        place = (operation.map, operation.key)
        if operation.value is None:
            del self.held[place]
        else:
            self.held[place] = operation.value

    @property
    def lookups(self) -> Lookups:
        return Lookups(self.held, maglev=self.profile.maglev, wildcards=self.profile.wildcards)

    def outcomes(self) -> Outcomes:
        lookups = self.lookups
        return {asked: lookups.outcomes(asked) for asked in QUESTIONS}

    def promised(self) -> Outcomes:
        """What may still, or already, be found on the way from or to this state. A backend of the
        service is none's harm, if it was meant for the other scope or terminates.
        """
        lookups = self.lookups
        return {
            asked: found | lookups.members(asked.address, asked.port)
            for asked, found in self.outcomes().items()
        }

    def look(self, allowed: Outcomes) -> None:
        """Everything that the programs may find is right, and was when flows remembered it."""
        lookups = self.lookups
        for asked in QUESTIONS:
            found = lookups.outcomes(asked)
            assert found <= allowed[asked], (asked, found, allowed[asked])
            self._follow(asked, lookups)
        for number, backend in self.backends.items():
            assert lookups.backend(number) in (None, backend)
        for number, frontend in self.numbers.items():
            assert lookups.answers_as(number) in (None, frontend)

    def _follow(self, asked: Asked, lookups: Lookups) -> None:
        """A flow goes there and back, and is remembered."""
        found = lookups.service(asked)
        if found is None or not found[1].count:
            return
        number = found[1].rev_nat_index
        assert lookups.answers_as(number) == (asked.address, asked.port)
        self.numbers[number] = (asked.address, asked.port)
        for backend_id in lookups.ids(asked):
            backend = lookups.backend(backend_id)
            assert backend is not None
            self.backends[backend_id] = backend


def either(*settled: Outcomes) -> Outcomes:
    return {asked: set().union(*(each[asked] for each in settled)) for asked in QUESTIONS}


def fresh(services: Services, chosen: Profile) -> Node:
    node = Node(chosen)
    for operation in Table(chosen, {}).update(services):
        node.apply(operation)
    return node


def changes(before: Services, after: Services) -> Services:
    return {name: after.get(name, ()) for name in (*before, *(after.keys() - before.keys()))}


@pytest.mark.parametrize("chosen", PROFILES, ids=lambda each: each.name)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_write_leaves_whole_services(seed: int, chosen: Profile) -> None:
    random = Random(seed)
    node, table, now = Node(chosen), Table(chosen, {}), Services()
    for _ in range(5):
        then = some_services(random, chosen)
        allowed = either(node.promised(), fresh(then, chosen).promised())
        for operation in table.update(changes(now, then)):
            node.apply(operation)
            node.look(allowed)
        now = then
        assert node.outcomes() == fresh(now, chosen).outcomes()
        assert kinds(node) == kinds(fresh(now, chosen))


def kinds(node: Node) -> Counter[str]:
    """How many entries each map has."""
    return Counter(name for name, _ in node.held)


@pytest.mark.parametrize("chosen", PROFILES, ids=lambda each: each.name)
@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_agent_that_is_killed_between_two_writes_is_followed_by_one_that_goes_on(
    seed: int, chosen: Profile
) -> None:
    """The services change once more before it is there."""
    random = Random(seed)
    node, table, now = Node(chosen), Table(chosen, {}), Services()
    for _ in range(5):
        then, later = some_services(random, chosen), some_services(random, chosen)
        operations = table.update(changes(now, then))
        for operation in operations[: random.randint(0, len(operations))]:
            node.apply(operation)
        settled = [fresh(services, chosen) for services in (now, then, later)]
        allowed = either(*(each.promised() for each in (node, *settled)))
        table, now = Table(chosen, node.held, node.remembered()), later
        for operation in table.update(later, complete=True):
            node.apply(operation)
            node.look(allowed)
        assert node.outcomes() == fresh(now, chosen).outcomes()
        assert kinds(node) == kinds(fresh(now, chosen))


@pytest.mark.parametrize("chosen", PROFILES, ids=lambda each: each.name)
@pytest.mark.parametrize("seed", range(200, 200 + SEEDS))
def test_a_frontend_that_two_services_claim_is_the_other_s_when_one_goes(
    seed: int, chosen: Profile
) -> None:
    random, node, table = Random(seed), Node(chosen), Table(chosen, {})
    one, two = (some_service(random, chosen, name, number) for number, name in enumerate("ab"))
    for changed in ({"a": one}, {"b": two}, {"b": ()}):
        for operation in table.update(changed):
            node.apply(operation)
    assert node.outcomes() == fresh({"a": one}, chosen).outcomes()
    assert kinds(node) == kinds(fresh({"a": one}, chosen))
