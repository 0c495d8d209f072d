"""The configuration of an agent that no node has."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab.agent.config import AgentConfig

CONFIG = AgentConfig(
    node="k8s-worker1",
    node_ip=IPv4Address("192.168.1.21"),
    pod_cidr=IPv4Network("10.0.1.0/24"),
    router_ip=IPv4Address("10.0.1.1"),
    uplink="eth0",
    cluster_cidr=IPv4Network("10.0.0.0/16"),
    service_cidr=IPv4Network("10.96.0.0/12"),
    api_url="",
    token="",
    ca_file=Path(),
    run_dir=Path(),
)
