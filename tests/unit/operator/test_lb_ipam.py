"""LB-IPAM case by case; the names are those of Cilium's own table (operator/pkg/lbipam)."""

from __future__ import annotations

import pytest

from lab.operator.lb_ipam import Counts, Ipam, Outcome
from lab.operator.lb_pool import BlockError
from tests.unit.operator.balancers import Object, pool, service, with_pools


def test_conflict_resolution() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_pool(pool("b", "10.0.10.0/24", "fd00::/48", created="2022-10-16T13:30:00Z"))
    assert ipam.pools["a"].conflict == ""
    assert ipam.pools["b"].conflict == (
        "Pool conflicts since CIDR '10.0.10.0/24' overlaps CIDR '10.0.10.0/24' from IP Pool 'a'"
    )
    ipam.set_pool(pool("b", "fd00::/48", created="2022-10-16T13:30:00Z"))
    assert ipam.pools["b"].open


def test_a_conflict_ends_when_the_older_pool_goes() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_pool(pool("b", "10.0.10.0/25", created="2022-10-16T13:30:00Z"))
    ipam.remove_pool("a")
    assert ipam.pools["b"].open


def test_pool_internal_conflict() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24", "10.0.10.64/28"))
    assert "'10.0.10.0/24' overlaps CIDR '10.0.10.64/28'" in ipam.pools["a"].conflict
    assert ipam.set_service(service("s")).reason == "no_pool"
    ipam.set_pool(pool("a", "10.0.10.0/24"))
    assert ipam.outcomes()["default/s"].addresses == ("10.0.10.0",)


def test_alloc_happy_path() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24", "fd00::/48"))
    assert ipam.set_service(service("s")) == Outcome(("10.0.10.0",), True, "satisfied")
    assert ipam.set_service(service("s", ipFamilies=["IPv6"])).addresses == ("fd00::",)
    assert ipam.set_service(service("s", ipFamilies=["IPv4"])).addresses == ("10.0.10.0",)


def test_dual_stack() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24", "fd00::/48"))
    outcome = ipam.set_service(service("s", ipFamilies=["IPv4", "IPv6"]))
    assert outcome.addresses == ("10.0.10.0", "fd00::")


def test_service_delete() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("s"))
    assert ipam.remove_service("default/s")
    assert ipam.counts(ipam.pools["a"]).used == 0
    assert not ipam.remove_service("default/s")


def test_realloc_on_init_replaces_addresses_of_no_pool() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    assert ipam.set_service(service("s"), ["192.168.1.12"]).addresses == ("10.0.10.0",)


def test_alloc_on_init_keeps_addresses_of_the_pool() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    assert ipam.set_service(service("s"), ["10.0.10.123"]).addresses == ("10.0.10.123",)


@pytest.mark.parametrize(
    ("selector", "labels", "namespace", "selected"),
    [
        ({"matchLabels": {"color": "red"}}, {"color": "red"}, "default", True),
        ({"matchLabels": {"color": "red"}}, {"color": "blue"}, "default", False),
        ({"matchLabels": {"io.kubernetes.service.namespace": "tenant"}}, {}, "tenant", True),
        ({"matchLabels": {"io.kubernetes.service.namespace": "tenant"}}, {}, "default", False),
        ({"matchLabels": {"io.kubernetes.service.name": "s"}}, {}, "default", True),
        ({"matchExpressions": [{"key": "color", "operator": "Exists"}]}, {}, "default", False),
    ],
    ids=["TestPoolSelectorBasic", "basic-mismatch", "TestPoolSelectorNamespace",
         "namespace-mismatch", "name", "expression"],
)  # fmt: skip
def test_pool_selector(
    selector: Object, labels: dict[str, str], namespace: str, selected: bool
) -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24", serviceSelector=selector))
    outcome = ipam.set_service(service("s", labels=labels, namespace=namespace))
    assert outcome.satisfied is selected
    assert outcome.reason == ("satisfied" if selected else "no_pool")


def test_change_of_the_pools_selector() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("s", labels={"color": "red"}))
    selector = {"matchLabels": {"color": "green"}}
    ipam.set_pool(pool("a", "10.0.10.0/24", serviceSelector=selector))
    assert ipam.outcomes()["default/s"].addresses == ()


def test_remove_service_label() -> None:
    selector = {"matchLabels": {"color": "red"}}
    ipam = with_pools(pool("a", "10.0.10.0/24", serviceSelector=selector))
    assert ipam.set_service(service("s", labels={"color": "red"})).satisfied
    assert ipam.set_service(service("s")).addresses == ()


def test_ranges_full() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/32"))
    assert ipam.set_service(service("first")).satisfied
    outcome = ipam.set_service(service("second"))
    assert (outcome.reason, outcome.addresses) == ("out_of_ips", ())
    assert outcome.message == (
        "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs"
    )
    ipam.remove_service("default/first")
    ipam.satisfy_waiting()
    assert ipam.outcomes()["default/second"].addresses == ("10.0.10.0",)


def test_the_next_block_serves_when_the_first_is_full() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/32", "10.0.20.5-10.0.20.6"))
    got = [ipam.set_service(service(name)).addresses for name in ("x", "y", "z")]
    assert got == [("10.0.10.0",), ("10.0.20.5",), ("10.0.20.6",)]


def test_request_ips() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    notes = {"lbipam.cilium.io/ips": "10.0.10.22, 10.0.10.23"}
    got = ipam.set_service(service("a", loadBalancerIP="10.0.10.20", annotations=notes))
    assert got.addresses == ("10.0.10.20", "10.0.10.22", "10.0.10.23")
    alias = {"io.cilium/lb-ipam-ips": "10.0.10.24"}
    assert ipam.set_service(service("b", annotations=alias)).addresses == ("10.0.10.24",)
    again = ipam.set_service(service("c", annotations=alias))
    assert again.reason == "already_allocated"
    assert again.message == "The IP '10.0.10.24' is already allocated to another service"


def test_request_ip_outside_every_pool() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    outcome = ipam.set_service(service("s", loadBalancerIP="10.9.9.9"))
    assert outcome.reason == "no_pool"
    assert outcome.message == "No pool exists with a CIDR containing '10.9.9.9'"


def test_request_ip_with_mismatched_label() -> None:
    selector = {"matchLabels": {"color": "blue"}}
    ipam = with_pools(pool("a", "10.0.10.0/24", serviceSelector=selector))
    outcome = ipam.set_service(service("s", labels={"color": "red"}, loadBalancerIP="10.0.10.123"))
    assert outcome.reason == "pool_selector_mismatch"


def test_remove_requested_ip() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    both = {"lbipam.cilium.io/ips": "10.0.10.124,10.0.10.125"}
    ipam.set_service(service("s", annotations=both))
    one = {"lbipam.cilium.io/ips": "10.0.10.124"}
    assert ipam.set_service(service("s", annotations=one)).addresses == ("10.0.10.124",)
    assert ipam.counts(ipam.pools["a"]).used == 1


def test_add_pool_serves_who_waits() -> None:
    ipam = Ipam()
    assert ipam.set_service(service("s")).message == (
        "There are no enabled CiliumLoadBalancerIPPools that match this service"
    )
    ipam.set_pool(pool("a", "10.0.10.0/24"))
    assert ipam.outcomes()["default/s"].satisfied


def test_add_range() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/32"))
    ipam.set_service(service("first"))
    ipam.set_service(service("second"))
    ipam.set_pool(pool("a", "10.0.10.0/32", "10.0.20.0/24"))
    assert ipam.outcomes()["default/first"].addresses == ("10.0.10.0",)
    assert ipam.outcomes()["default/second"].addresses == ("10.0.20.0",)


def test_disable_pool_keeps_what_was_given() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("old"))
    ipam.set_pool(pool("a", "10.0.10.0/24", disabled=True))
    assert ipam.outcomes()["default/old"].addresses == ("10.0.10.0",)
    assert ipam.set_service(service("new")).reason == "no_pool"
    ipam.set_pool(pool("a", "10.0.10.0/24"))
    assert ipam.outcomes()["default/new"].addresses == ("10.0.10.1",)


def test_pool_delete_moves_services_to_another_pool() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"), pool("b", "10.0.20.0/24"))
    ipam.set_service(service("s"))
    ipam.remove_pool("a")
    assert ipam.outcomes()["default/s"].addresses == ("10.0.20.0",)
    ipam.remove_pool("b")
    assert ipam.outcomes()["default/s"] == Outcome(
        (), False, "no_pool",
        "There are no enabled CiliumLoadBalancerIPPools that match this service",
    )  # fmt: skip


def test_range_delete() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("s"))
    ipam.set_pool(pool("a", "10.0.20.0/24"))
    assert ipam.outcomes()["default/s"].addresses == ("10.0.20.0",)


@pytest.mark.parametrize(
    ("block", "allow", "total", "first"),
    [
        ("10.0.10.0/30", "No", 2, "10.0.10.1"),
        ("10.0.10.0/30", "Yes", 4, "10.0.10.0"),
        ("10.0.10.0/31", "No", 2, "10.0.10.0"),
        ("10.0.10.0/32", "No", 1, "10.0.10.0"),
        ("10.0.10.0-10.0.10.3", "No", 4, "10.0.10.0"),
        ("fd00::/126", "No", 2, "fd00::1"),
    ],
)
def test_allow_first_last_ips(block: str, allow: str, total: int, first: str) -> None:
    ipam = with_pools(pool("a", block, allowFirstLastIPs=allow))
    assert ipam.counts(ipam.pools["a"]) == Counts(total, total, 0)
    families = ["IPv6" if ":" in block else "IPv4"]
    assert ipam.set_service(service("s", ipFamilies=families)).addresses == (first,)


def test_change_of_allow_first_last_ips_revokes_nothing() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/30"))
    ipam.set_service(service("s"))
    ipam.set_pool(pool("a", "10.0.10.0/30", allowFirstLastIPs="No"))
    assert ipam.outcomes()["default/s"].addresses == ("10.0.10.0",)
    assert ipam.set_service(service("t")).addresses == ("10.0.10.1",)


@pytest.mark.parametrize("block", ["10.0.10.0/99", "nonsense", "10.0.0.9-10.0.0.1"])
def test_a_block_that_is_none_is_refused(block: str) -> None:
    with pytest.raises(BlockError):
        pool("a", block)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("10.0.0.0/24", "10.0.0.0/24", True),
        ("10.0.0.0/24", "10.0.0.128/25", True),
        ("10.0.0.5-10.0.0.9", "10.0.0.9-10.0.0.20", True),
        ("10.0.0.5-10.0.0.9", "10.0.0.1-10.0.0.5", True),
        ("10.0.0.5-10.0.0.9", "10.0.0.10-10.0.0.20", False),
        ("10.0.0.0/24", "10.0.1.0/24", False),
        ("0.0.0.0/0", "::/0", False),
    ],
)
def test_intersects(one: str, other: str, meet: bool) -> None:
    (first,), (second,) = pool("a", one).ranges, pool("b", other).ranges
    assert first.overlaps(second) is second.overlaps(first) is meet


@pytest.mark.parametrize(
    ("prefix", "first", "last"),
    [
        ("10.0.0.0/24", "10.0.0.0", "10.0.0.255"),
        ("10.0.0.77/32", "10.0.0.77", "10.0.0.77"),
        ("10.0.0.77/29", "10.0.0.72", "10.0.0.79"),
        ("fd00::/120", "fd00::", "fd00::ff"),
    ],
)
def test_range_from_prefix(prefix: str, first: str, last: str) -> None:
    (found,) = pool("a", prefix).ranges
    assert (str(found.first), str(found.last)) == (first, last)


@pytest.mark.parametrize(
    ("families", "versions"),
    [(None, (4,)), (["IPv4"], (4,)), (["IPv6"], (6,)), (["IPv4", "IPv6"], (4, 6)),
     (["IPv6", "IPv4"], (6, 4))],
)  # fmt: skip
def test_service_ip_family_request(families: list[str] | None, versions: tuple[int, ...]) -> None:
    """What a policy (SingleStack, PreferDualStack, RequireDualStack) makes of the families is
    the API server's defaulting: spec.ipFamilies has it when LB-IPAM looks."""
    spec: Object = {"ipFamilies": families} if families else {}
    asked = service("s", **spec)
    assert asked.versions == versions


def test_a_family_that_no_pool_has_stays_unsatisfied() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    outcome = ipam.set_service(service("s", ipFamilies=["IPv4", "IPv6"]))
    assert (outcome.addresses, outcome.satisfied) == (("10.0.10.0",), False)
    ipam.set_pool(pool("b", "fd00::/120"))
    assert ipam.outcomes()["default/s"].addresses == ("10.0.10.0", "fd00::")
