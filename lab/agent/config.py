"""What an agent is told when it starts; everything else it learns from the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from lab.bpf.config import DualStack


@dataclass(frozen=True)
class AgentConfig:
    """One node's agent. Survives JSON and pickling."""

    node: str
    node_ip: IPv4Address
    pod_cidr: IPv4Network
    router_ip: IPv4Address
    """Address of cilium_host: the node's own in its pod network."""
    uplink: str
    """Interface towards the other nodes and the router."""
    cluster_cidr: IPv4Network
    service_cidr: IPv4Network
    api_url: str
    token: str
    ca_file: Path
    run_dir: Path
    """The node's own part of the lab's run directory."""
    profile: str = "cilium-1.10"
    options: Mapping[str, str] = field(default_factory=dict)
    ipv6: DualStack | None = None
    """The node's IPv6 side; None in an IPv4 cluster."""

    @property
    def node_addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """The node's address of each family."""
        return (self.node_ip, self.ipv6.node_ip) if self.ipv6 else (self.node_ip,)

    @property
    def pod_cidrs(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The node's pod network of each family."""
        return (self.pod_cidr, self.ipv6.pod_cidr) if self.ipv6 else (self.pod_cidr,)

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; from_json reads them back."""
        plain: dict[str, Any] = {name: str(value) for name, value in vars(self).items()}
        side = {name: str(value) for name, value in vars(self.ipv6).items()} if self.ipv6 else None
        return {**plain, "options": dict(self.options), "ipv6": side}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AgentConfig:
        """KeyError or ValueError when something is missing or malformed."""
        return cls(
            node=data["node"],
            node_ip=IPv4Address(data["node_ip"]),
            pod_cidr=IPv4Network(data["pod_cidr"]),
            router_ip=IPv4Address(data["router_ip"]),
            uplink=data["uplink"],
            cluster_cidr=IPv4Network(data["cluster_cidr"]),
            service_cidr=IPv4Network(data["service_cidr"]),
            api_url=data["api_url"],
            token=data["token"],
            ca_file=Path(data["ca_file"]),
            run_dir=Path(data["run_dir"]),
            profile=data["profile"],
            options=dict(data["options"]),
            ipv6=_dual_stack(data["ipv6"]) if data["ipv6"] else None,
        )

    @classmethod
    def load(cls, file: Path) -> AgentConfig:
        return cls.from_json(json.loads(file.read_text()))


def _dual_stack(data: Mapping[str, Any]) -> DualStack:
    return DualStack(
        node_ip=IPv6Address(data["node_ip"]),
        router_ip=IPv6Address(data["router_ip"]),
        pod_cidr=IPv6Network(data["pod_cidr"]),
        cluster_cidr=IPv6Network(data["cluster_cidr"]),
        service_cidr=IPv6Network(data["service_cidr"]),
    )
