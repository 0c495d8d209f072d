"""The web page's map and table: what cards, links and rows come of flows."""

from __future__ import annotations

from typing import Any

import pytest

from lab.hubble.api import flow_pb2
from lab.hubble.ui.cards import card_of
from lab.hubble.ui.rows import row
from lab.hubble.ui.service_map import MOST_LINKS, ServiceMap

from .page_given import flows


def test_map_of_the_article() -> None:
    picture = ServiceMap()
    told = [picture.add(flow) for flow in flows()]
    assert told == [True, True, False, True, True, True]
    drawn = picture.picture()
    assert [(card["title"], card["ports"]) for card in drawn["cards"]] == [
        ("web1", [{"port": 80, "protocol": "TCP"}]),
        ("host", []),
        ("kube-dns", [{"port": 53, "protocol": "UDP"}]),
        ("remote-node", []),
        ("world", []),
    ]
    web1 = "default/35812"
    assert [
        (link["source"], link["destination"], link["port"], link["verdicts"])
        for link in drawn["links"]
    ] == [
        (web1, "kube-system/4711", 53, {"forwarded": 1}),
        ("host", web1, 80, {"forwarded": 2}),
        ("remote-node", web1, 80, {"forwarded": 1}),
        ("world", web1, 80, {"dropped": 1}),
    ]


def test_visual_menu_hides_cards_and_whoever_had_only_links_to_them() -> None:
    picture = ServiceMap()
    for flow in flows():
        picture.add(flow)
    shown = picture.picture(frozenset({"host", "remote-node", "kube-dns"}))
    assert [card["title"] for card in shown["cards"]] == ["web1", "world"]


def test_the_maps_version_changes_with_its_shape_only() -> None:
    picture = ServiceMap()
    first, answer, *_ = flows()
    picture.add(first)
    version = picture.version
    picture.add(first)
    picture.add(answer)
    assert picture.version == version


def test_a_scan_of_ports_does_not_fill_the_map() -> None:
    picture = ServiceMap()
    drop = flows()[4]
    for port in range(1, 2 * MOST_LINKS + 1):
        drop.l4.TCP.destination_port = port
        picture.add(drop)
    assert (len(picture.picture()["links"]), picture.undrawn) == (MOST_LINKS, MOST_LINKS)
    drop.l4.TCP.destination_port = 1
    assert picture.add(drop)


@pytest.mark.parametrize(
    ("endpoint", "title"),
    [
        ({"namespace": "a", "identity": 300, "labels": ["k8s:app=shop"]}, "shop"),
        (
            {
                "namespace": "a",
                "identity": 300,
                "labels": ["k8s:app=x", "k8s:app.kubernetes.io/name=shop"],
            },
            "shop",
        ),
        ({"namespace": "a", "identity": 300, "workloads": [{"name": "web1"}]}, "web1"),
        ({"namespace": "a", "identity": 300, "labels": ["k8s:svc=web1-lb"]}, "Unknown App"),
        ({"identity": 6}, "remote-node"),
        ({"identity": 7, "labels": ["reserved:kube-apiserver"]}, "kube-apiserver"),
        ({}, "unknown"),
    ],
)
def test_names_of_cards(endpoint: dict[str, Any], title: str) -> None:
    assert card_of(flow_pb2.Endpoint(**endpoint)).title == title


def test_a_pod_that_is_gone_has_the_card_of_its_identity() -> None:
    labels = ["k8s:io.kubernetes.pod.namespace=a", "k8s:app=shop"]
    living = flow_pb2.Endpoint(namespace="a", pod_name="shop-1", identity=300, labels=labels)
    gone = flow_pb2.Endpoint(identity=300, labels=labels)
    assert card_of(gone) == card_of(living)


def test_row_of_a_drop() -> None:
    told = row(flows()[4])
    assert (told["verdict"], told["reason"], told["flags"]) == (
        "dropped",
        "Service backend not found",
        ["SYN"],
    )
    assert (told["time"], told["source"]["title"], told["source"]["address"]) == (
        1_700_000_000_000,
        "world",
        "203.0.113.9",
    )
