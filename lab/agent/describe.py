"""What an agent says of itself and of the cluster, for `cilium status` and its like."""

from __future__ import annotations

from typing import Any

from lab.agent.agent import Agent
from lab.agent.config import AgentConfig
from lab.agent.flows.flow_log import FlowLog
from lab.agent.identity import identities, labels_of, number_of
from lab.agent.places import NodePlace, node_places
from lab.agent.pods.worker import PodWorker
from lab.agent.profile import Profile
from lab.agent.programs import GENERATIONS
from lab.bpf.datapath import uses_tcx
from lab.kube.discovery.version import SERVER_VERSION

Json = dict[str, Any]


def describe(config: AgentConfig, profile: Profile, agent: Agent, flow_log: FlowLog) -> Json:
    """Plain values; nothing secret among them."""
    workers = [each for each in agent.kubelet.workers.values() if each.local is not None]
    facts = config.to_json()
    del facts["token"]
    return {
        "config": facts,
        "kubernetes": {"ok": agent.cluster.connected, "version": SERVER_VERSION},
        "ipam": {"used": len(workers) + 1, "size": config.pod_cidr.num_addresses - 2},
        "hubble": flow_log.figures(),
        "nodes": [_node(place) for place in node_places(agent.cluster.nodes.objects.values())],
        "services": len(agent.cluster.services.objects),
        "balancing": {
            "mode": _mode(profile),
            "selection": "Maglev" if profile.maglev else "Random",
            "tunnel": profile.tunnel,
            "acceleration": "Native" if profile.native_xdp else "Disabled",
            "graceful": profile.terminating,
            "tcx": uses_tcx(GENERATIONS[config.profile]),
        },
        "endpoints": [_endpoint(worker) for worker in workers],
        "identities": [
            {"id": number, "labels": labels}
            for number, labels in identities(agent.cluster.pods.objects.values()).items()
        ],
    }


def _node(place: NodePlace) -> Json:
    return {
        "name": place.name,
        "address": str(place.address),
        "pod_cidr": str(place.pod_cidr),
        "address6": str(place.address6 or ""),
        "pod_cidr6": str(place.pod_cidr6 or ""),
    }


def _mode(profile: Profile) -> str:
    if not profile.dsr:
        return "SNAT"
    return "DSR" if "UDP" in profile.dsr else "Hybrid"


def _endpoint(worker: PodWorker) -> Json:
    pod = worker.local
    assert pod is not None
    labels = labels_of(worker.pod)
    return {
        "id": pod.endpoint_id,
        "identity": number_of(labels),
        "labels": labels,
        "address": str(pod.address),
        "address6": str(pod.address6) if pod.address6 else "",
        "namespace": pod.namespace,
        "name": pod.name,
    }
