"""Services that share an address, case by case, as in Cilium's own table (operator/pkg/lbipam)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.balancers import Object, pool, service, shared, with_pools


def test_sharing_key() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    first = ipam.set_service(service("a", port=80, annotations=shared("key")))
    second = ipam.set_service(service("b", port=81, annotations=shared("key")))
    third = ipam.set_service(service("c", port=82, annotations=shared("other")))
    clash = ipam.set_service(service("d", port=80, annotations=shared("key")))
    assert first.addresses == second.addresses == ("10.0.10.0",)
    assert third.addresses == ("10.0.10.1",)
    assert clash.addresses == ("10.0.10.2",)
    ipam.remove_service("default/a")
    assert ipam.counts(ipam.pools["a"]).used == 3


@pytest.mark.parametrize(
    "change",
    [{"annotations": shared("key-2")}, {"port": 80}, {"externalTrafficPolicy": "Local"}],
    ids=["TestSharedServiceUpdatedSharingKey", "TestSharedServiceUpdatedPorts",
         "TestSharedServiceUpdatedPolicy"],
)  # fmt: skip
def test_a_shared_service_that_stops_fitting_gets_its_own_address(change: Object) -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("a", port=80, annotations=shared("key-1")))
    second: Object = {"port": 81, "annotations": shared("key-1")}
    assert ipam.set_service(service("b", **second)).addresses == ("10.0.10.0",)
    assert ipam.set_service(service("b", **{**second, **change})).addresses == ("10.0.10.1",)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("", "", False), ("two", "", False), ("two", "one", True), ("*", "*", True), ("*", "", False)],
)
def test_sharing_cross_namespace(first: str, second: str, together: bool) -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    one = ipam.set_service(service("a", namespace="one", annotations=shared("k", first)))
    ask = service("b", namespace="two", port=81, annotations=shared("k", second))
    assert (ipam.set_service(ask).addresses == one.addresses) is together


def test_requested_address_of_an_incompatible_service() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    local: Object = {"externalTrafficPolicy": "Local", "annotations": shared("k")}
    ipam.set_service(service("a", loadBalancerIP="10.0.10.5", selector={"app": "a"}, **local))
    ask = service("b", port=81, loadBalancerIP="10.0.10.5", selector={"app": "b"}, **local)
    outcome = ipam.set_service(ask)
    assert outcome.reason == "already_allocated_incompatible_service"
    assert outcome.message.startswith("The IP '10.0.10.5' is already allocated to an incompatible")


def test_shared_service_same_port_with_different_protocols() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    for name, protocol in (("tcp", "TCP"), ("udp", "UDP"), ("sctp", "SCTP")):
        ports = [{"protocol": protocol, "port": 53}]
        got = ipam.set_service(service(name, annotations=shared("dns"), ports=ports))
        assert got.addresses == ("10.0.10.0",)
    ports = [{"protocol": "UDP", "port": 53}]
    again = ipam.set_service(service("again", annotations=shared("dns"), ports=ports))
    assert again.addresses == ("10.0.10.1",)


def test_alloc_shared_on_init() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    for port in (80, 81):
        ask = service(f"s{port}", port=port, annotations=shared("key"))
        assert ipam.set_service(ask, ["10.0.10.7"]).addresses == ("10.0.10.7",)
    alone = ipam.set_service(service("alone", port=82), ["10.0.10.7"])
    assert alone.addresses == ("10.0.10.0",)


def test_regression_shared_key_readd_bug() -> None:
    """A service that leaves the group and comes back is again one of it, counted once."""
    ipam = with_pools(pool("a", "10.0.10.0/24"))
    ipam.set_service(service("a", port=80, annotations=shared("key")))
    member: dict[str, Any] = {"port": 81, "annotations": shared("key")}
    assert ipam.set_service(service("b", **member)).addresses == ("10.0.10.0",)
    assert ipam.set_service(service("b", port=81)).addresses == ("10.0.10.1",)
    assert ipam.set_service(service("b", **member)).satisfied
    ipam.remove_service("default/b")
    assert ipam.counts(ipam.pools["a"]).used == 1
    assert ipam.set_service(service("b", **member)).addresses == ("10.0.10.0",)
    ipam.remove_service("default/a")
    assert ipam.counts(ipam.pools["a"]).used == 1


def test_a_shared_address_stays_until_its_last_service_is_gone() -> None:
    ipam = with_pools(pool("a", "10.0.10.0/32"))
    ipam.set_service(service("a", port=80, annotations=shared("key")))
    ipam.set_service(service("b", port=81, annotations=shared("key")))
    ipam.remove_service("default/a")
    assert ipam.set_service(service("c")).reason == "out_of_ips"
    ipam.remove_service("default/b")
    ipam.satisfy_waiting()
    assert ipam.outcomes()["default/c"].addresses == ("10.0.10.0",)
