"""What the flow log is told of addresses, identities and services, and when it changes."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest
from lightkube.models.meta_v1 import OwnerReference

from lab.agent.flows.lookup import Directory
from lab.agent.identity import labels_of, number_of
from lab.agent.places import node_places
from lab.hubble import agent_events
from lab.hubble.agent_events import AgentEvent
from lab.hubble.lookup import Service, Workload
from tests.unit.agent.objects import node, pod, service

ME = "k8s-worker1"
NODES = node_places([node(ME, "192.168.1.21", "10.0.1.0/24")])


def packed(address: str) -> bytes:
    return IPv4Address(address).packed


def test_a_pod_is_told_with_its_namespace_and_its_identity_s_labels() -> None:
    directory, web = Directory(), pod("web1-a", "10.0.2.9", "192.168.1.22", app="web")
    directory.set_places(ME, NODES, [web], [])
    known = directory.endpoint(packed("10.0.2.9"))
    assert known is not None
    assert (known.namespace, known.pod, known.labels) == ("default", "web1-a", labels_of(web))
    assert directory.labels(number_of(labels_of(web))) == labels_of(web)
    assert directory.labels(2) == ("reserved:world",)
    assert directory.labels(4711) == ()


@pytest.mark.parametrize(
    ("owner", "name", "labels", "workload"),
    [
        ("ReplicaSet", "web1-5f", {"pod-template-hash": "5f"}, Workload("web1", "Deployment")),
        ("ReplicaSet", "web1-5f", {}, Workload("web1-5f", "ReplicaSet")),
        ("ReplicaSet", "web1", {"pod-template-hash": "5f"}, Workload("web1", "ReplicaSet")),
        ("DaemonSet", "web1-5f", {"pod-template-hash": "5f"}, Workload("web1-5f", "DaemonSet")),
    ],
)
def test_a_pod_belongs_to_what_a_user_wrote(
    owner: str, name: str, labels: dict[str, str], workload: Workload
) -> None:
    directory, owned = Directory(), pod("web1-a", "10.0.2.9", "192.168.1.22", **labels)
    assert owned.metadata is not None
    by = OwnerReference(apiVersion="apps/v1", kind=owner, name=name, uid="1")
    owned.metadata.ownerReferences = [by]
    directory.set_places(ME, NODES, [owned], [])
    known = directory.endpoint(packed("10.0.2.9"))
    assert known is not None
    assert known.workloads == (workload,)


def test_what_says_next_to_nothing_does_no_harm() -> None:
    """A pod that is still to start elsewhere, one without labels, a service without ports."""
    directory, bare = Directory(), pod("bare", "10.0.2.8", "192.168.1.22")
    assert bare.metadata is not None
    bare.metadata.labels = None
    by = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="web1-5f", uid="1")
    bare.metadata.ownerReferences = [by]
    directory.set_places(ME, [], [pod("pending", "", "192.168.1.22"), bare], [])
    assert [each.pod for each in directory.now().endpoints.values()] == ["bare"]
    portless = service()
    assert portless.spec is not None
    portless.spec.ports = None
    directory.set_services([portless])
    assert directory.now().services == {}


def test_a_service_is_known_by_all_its_addresses_and_a_headless_one_by_none() -> None:
    directory = Directory()
    headless = service("db", vip=None, type="ClusterIP", clusterIP="None")
    silent = service("silent", vip=None, type="ClusterIP", clusterIP=None)
    directory.set_services([service(externalIPs=["203.0.113.7"]), headless, silent])
    for address in ("172.16.10.0", "203.0.113.7", "10.106.236.120"):
        assert directory.service(packed(address), 80) == Service("default", "web1-lb")
        assert directory.service(packed(address), 81) is None
    assert len(directory.now().services) == 3


def test_whoever_follows_the_agent_hears_what_came_and_went() -> None:
    directory, heard = Directory(), list[AgentEvent]()
    directory.tell = heard.append
    directory.set_places(ME, [], [pod("web1-a", "10.0.2.9", "192.168.1.22")], [])
    directory.set_services([service(vip=None)])
    directory.set_places(ME, [], [], [])
    assert [event.kind for event in heard] == [
        agent_events.IPCACHE_UPSERTED,
        agent_events.SERVICE_UPSERTED,
        agent_events.IPCACHE_DELETED,
    ]


def test_what_was_known_when_an_event_came_stays_known() -> None:
    directory, web = Directory(), pod("web1-a", "10.0.2.9", "192.168.1.22")
    directory.set_places(ME, NODES, [web], [])
    then = directory.now()
    directory.set_places(ME, NODES, [web], [])
    assert directory.now() is then, "nothing changed"
    directory.set_places(ME, NODES, [], [])
    assert then.endpoint(packed("10.0.2.9")) is not None
    assert directory.endpoint(packed("10.0.2.9")) is None


def test_an_interface_is_asked_for_once_and_again_when_pods_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, asked = {7: "lxc1"}, list[int]()

    def name_of(index: int) -> str:
        asked.append(index)
        if index not in names:
            raise OSError
        return names[index]

    monkeypatch.setattr(socket, "if_indextoname", name_of)
    directory = Directory()
    assert [directory.interface(7), directory.interface(7), directory.interface(8)] == [
        "lxc1", "lxc1", "",
    ]  # fmt: skip
    assert asked == [7, 8]
    names[7] = "lxc2"
    directory.set_places(ME, NODES, [], [])
    assert directory.interface(7) == "lxc2"
