"""What `cilium status` and `cilium endpoint list` print, from what the agent says of itself."""

from __future__ import annotations

from typing import Any

from lab.agent.cilium import status
from lab.agent.cilium.columns import columns

SAID: dict[str, Any] = {
    "config": {
        "uplink": "eth0", "node_ip": "192.168.1.21", "profile": "cilium-1.10",
        "pod_cidr": "10.0.1.0/24", "cluster_cidr": "10.0.0.0/16",
    },
    "kubernetes": {"ok": False, "version": "v1.32.4"},
    "ipam": {"used": 2, "size": 254},
    "hubble": {"flows": 10, "capacity": 4095, "rate": 1.5},
    "nodes": [], "services": 2,
    "balancing": {
        "mode": "SNAT", "selection": "Random", "tunnel": True, "acceleration": "Disabled",
        "graceful": False, "tcx": False,
    },
    "endpoints": [
        {"id": 258, "identity": 300, "labels": ["k8s:a=b", "k8s:c=d"], "address": "10.0.1.2",
         "namespace": "default", "name": "web1"},
    ],
}  # fmt: skip


STATUS = """\
KVStore:                Ok   Disabled
Kubernetes:             Failure   v1.32.4 [linux]
KubeProxyReplacement:   Strict   [eth0 192.168.1.21]
Cilium:                 Ok   profile cilium-1.10
NodeMonitor:            Listening for events on the ring buffer cilium_events
IPAM:                   IPv4: 2/254 allocated from 10.0.1.0/24
Host Routing:           BPF
Attach Mode:            Legacy TC
Masquerading:           BPF   [eth0]   10.0.0.0/16
Hubble:                 Ok   Current/Max Flows: 10/4095 (0.24%), Flows/s: 1.50
Encryption:             Disabled
Cluster:                0 nodes, 2 services
"""
BALANCING = """\
KubeProxyReplacement Details:
  Status:                 Strict
  Protocols:              TCP, UDP
  Devices:                eth0 192.168.1.21
  Mode:                   SNAT
  Tunnel:                 vxlan
  Backend Selection:      Random
  Session Affinity:       Enabled
  Graceful Termination:   Disabled
  XDP Acceleration:       Disabled
  Services:
  - ClusterIP:            Enabled
  - NodePort:             Enabled
  - LoadBalancer:         Enabled
  - externalIPs:          Enabled
"""


def test_status_of_an_agent_whose_api_server_is_away() -> None:
    assert status.status(SAID, verbose=False) == STATUS.splitlines()
    assert status.status(SAID, verbose=True) == (STATUS + BALANCING).splitlines()


def test_status_of_another_way_to_balance() -> None:
    how = {**SAID["balancing"], "tunnel": False, "graceful": True, "mode": "DSR", "tcx": True}
    said = {**SAID, "balancing": how, "kubernetes": {"ok": True, "version": "v1.32.4"}}
    lines = set(status.status(said, verbose=True))
    assert lines - set((STATUS + BALANCING).splitlines()) == {
        "Kubernetes:             Ok   v1.32.4 [linux]",
        "Attach Mode:            TCX",
        "  Mode:                   DSR",
        "  Tunnel:                 disabled",
        "  Graceful Termination:   Enabled",
    }


def test_endpoints_with_one_label_a_line() -> None:
    lines = columns(status.endpoint_list(SAID))
    assert lines[0].split()[-3:] == ["IPv4", "POD", "STATUS"]
    assert lines[1].split() == ["258", "300", "k8s:a=b", "10.0.1.2", "default/web1", "ready"]
    assert lines[2].split() == ["k8s:c=d"]


def test_what_has_no_labels_has_a_line_all_the_same() -> None:
    (pod,) = SAID["endpoints"]
    said = {**SAID, "endpoints": [{**pod, "labels": []}], "identities": [{"id": 5, "labels": []}]}
    assert columns(status.endpoint_list(said))[1].split() == [
        "258", "300", "10.0.1.2", "default/web1", "ready",
    ]  # fmt: skip
    assert columns(status.identity_list(said)) == ["ID   LABELS", "5"]
