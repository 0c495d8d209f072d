"""What an agent says of itself, for `cilium status` and `cilium endpoint list`."""

from __future__ import annotations

from typing import Any

from lab.agent.agent import Agent
from lab.agent.config import AgentConfig
from lab.agent.flows.flow_log import FlowLog
from lab.agent.identity import labels_of, number_of
from lab.agent.pods.worker import PodWorker
from lab.agent.profile import Profile
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
        "nodes": len(agent.cluster.nodes.objects),
        "services": len(agent.cluster.services.objects),
        "balancing": {
            "mode": _mode(profile),
            "selection": "Maglev" if profile.maglev else "Random",
            "tunnel": profile.tunnel,
            "acceleration": "Native" if profile.native_xdp else "Disabled",
            "graceful": profile.terminating,
        },
        "endpoints": [_endpoint(worker) for worker in workers],
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
