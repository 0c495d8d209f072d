"""What an agent is told when it starts; everything else it learns from the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any


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

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; from_json reads them back."""
        plain = {name: str(value) for name, value in vars(self).items() if name != "options"}
        return {**plain, "options": dict(self.options)}

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
        )

    @classmethod
    def load(cls, file: Path) -> AgentConfig:
        return cls.from_json(json.loads(file.read_text()))
