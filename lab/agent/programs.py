"""The datapath of the node, as the agent asks for it: loaded once, put on every pod's link."""

from __future__ import annotations

from pathlib import Path

from lab.agent.config import AgentConfig
from lab.agent.pods.local import LocalPod
from lab.agent.profile import Profile
from lab.bpf.codes import Profile as Generation
from lab.bpf.config import NodeConfig
from lab.bpf.datapath import attach_pod, install
from lab.bpf.sockets import own_cgroup

GENERATIONS = {"cilium-1.10": Generation.CILIUM_1_10, "modern": Generation.MODERN}


class NodePrograms:
    """`load` also replaces the programs of an earlier agent, between two packets."""

    def __init__(self, config: AgentConfig, profile: Profile) -> None:
        self.mtu = int(Path("/sys/class/net", config.uplink, "mtu").read_text())
        self._config = node_config(config, profile, self.mtu)

    @property
    def pod_mtu(self) -> int:
        """Largest packet that fits through the tunnel."""
        return self._config.pod_mtu

    def load(self) -> None:
        install(self._config, cgroup=own_cgroup())

    def attach(self, pod: LocalPod) -> None:
        attach_pod(self._config, pod.link.index)


def node_config(config: AgentConfig, profile: Profile, mtu: int) -> NodeConfig:
    """What the programs are verified with."""
    return NodeConfig(
        node_ip=config.node_ip,
        router_ip=config.router_ip,
        pod_cidr=config.pod_cidr,
        cluster_cidr=config.cluster_cidr,
        service_cidr=config.service_cidr,
        uplink=config.uplink,
        mtu=mtu,
        profile=GENERATIONS[config.profile],
        maglev=profile.maglev,
        maglev_size=profile.maglev_size,
        tunnel=profile.tunnel,
        ipv6=config.ipv6,
        native_xdp=profile.native_xdp,
    )
