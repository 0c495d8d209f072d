"""Pools and Services as LB-IPAM is asked about them."""

from __future__ import annotations

from typing import Any

from lab.operator.lb_ipam import Ipam
from lab.operator.lb_pool import Ask, Pool

Object = dict[str, Any]


def pool(name: str, *blocks: str, created: str = "2022-10-16T12:00:00Z", **spec: Any) -> Pool:
    return Pool.of({
        "metadata": {"name": name, "creationTimestamp": created, "uid": name},
        "spec": {"blocks": [_block(text) for text in blocks], **spec},
    })  # fmt: skip


def _block(text: str) -> Object:
    first, _, last = text.partition("-")
    return {"cidr": text} if "/" in text else {"start": first, **({"stop": last} if last else {})}


def service(name: str, *, namespace: str = "default", port: int = 80, **parts: Any) -> Ask:
    meta = {"name": name, "namespace": namespace}
    meta |= {key: parts.pop(key) for key in ("labels", "annotations") if key in parts}
    spec = {"type": "LoadBalancer", "ports": [{"protocol": "TCP", "port": port}], **parts}
    return Ask.of({"metadata": meta, "spec": spec})


def shared(key: str, across: str = "") -> dict[str, str]:
    notes = {"lbipam.cilium.io/sharing-key": key}
    return {**notes, "lbipam.cilium.io/sharing-cross-namespace": across} if across else notes


def with_pools(*pools: Pool) -> Ipam:
    ipam = Ipam()
    for one in pools:
        ipam.set_pool(one)
    return ipam
