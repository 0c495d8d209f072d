"""What the benchmarks of cluster and events count."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from lab.bench.accounting import flows_read
from lab.bench.cluster import BACKENDS, Entry, complete, manifests
from lab.bench.programs.api_timing import has_address
from lab.bpf.structs import lb4_key, lb4_service


def _entry(address: int, slot: int, count: int = 0) -> Entry:
    key = lb4_key(address=address, dport=80, backend_slot=slot, proto=6)
    return key, lb4_service(count=count, backend_id=slot)


def _frontend(address: int, slots: int = BACKENDS, count: int = BACKENDS) -> list[Entry]:
    return [_entry(address, 0, count), *(_entry(address, slot + 1) for slot in range(slots))]


@pytest.mark.parametrize(
    ("entries", "number"),
    [
        (_frontend(1), 1),
        ([*_frontend(1), *_frontend(2)], 2),
        (list(reversed(_frontend(1))), 1),
        (_frontend(1, slots=BACKENDS - 1), 0),
        (_frontend(1)[1:], 0),
        ([*_frontend(1), *_frontend(2, slots=1, count=1)], 1),
    ],
    ids=["one", "two", "any order", "a slot missing", "no frontend yet", "another's service"],
)
def test_a_service_is_complete_with_all_its_slots(entries: list[Entry], number: int) -> None:
    assert complete(entries) == number


def test_each_service_has_endpoints_of_its_own() -> None:
    objects = list(manifests(3))
    slices = [one for one in objects if one["kind"] == "EndpointSlice"]
    services = [one["metadata"]["name"] for one in objects if one["kind"] == "Service"]
    owners = [one["metadata"]["labels"]["kubernetes.io/service-name"] for one in slices]
    endpoints = {
        (IPv4Address(endpoint["addresses"][0]), one["ports"][0]["port"])
        for one in slices
        for endpoint in one["endpoints"]
    }
    assert owners == services == ["many-0", "many-1", "many-2"]
    assert len(endpoints) == 3 * BACKENDS


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({}, False),
        ({"status": {"loadBalancer": {}}}, False),
        ({"status": {"loadBalancer": {"ingress": [{"ip": "172.16.10.1"}]}}}, True),
    ],
)
def test_an_address_is_one_that_the_status_shows(status: dict[str, object], shown: bool) -> None:
    assert has_address(status) is shown


def test_flows_are_summed_over_their_labels() -> None:
    text = """\
# HELP hubble_flows_processed_total Flows processed
hubble_flows_processed_total{protocol="TCP",subtype="to-stack"} 12.0
hubble_flows_processed_total{protocol="UDP",subtype="to endpoint"} 1.5e+06
hubble_flows_processed_created 7.0
hubble_lost_events_total{source="perf_event_ring_buffer"} 3.0
"""
    assert flows_read(text) == 1_500_012
