"""MetalLB's address pools, out of the text of its ConfigMap. Pure.

Facts from MetalLB 0.9.6, internal/config. Who gets which address is `metallb`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Any

import yaml

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class PoolError(Exception):
    """A configuration or a request that cannot be; the text says why."""


@dataclass(frozen=True)
class Pool:
    """A named set of addresses."""

    name: str
    blocks: tuple[Network, ...]
    auto_assign: bool = True
    avoid_buggy: bool = False
    """Leave out .0 and .255, which some old equipment takes for broadcasts."""

    def __contains__(self, address: Address) -> bool:
        if self.avoid_buggy and address.version == 4 and address.packed[3] in (0, 255):
            return False
        return any(address in block for block in self.blocks)

    def of_version(self, version: int) -> Iterator[Address]:
        """Its addresses of one IP version, in the order in which they are given."""
        for block in self.blocks:
            if block.version == version:
                yield from (address for address in block if address in self)


def parse_config(text: str) -> tuple[Pool, ...]:
    """The `address-pools` of a `config.yaml`; PoolError tells what is wrong with it."""
    try:
        config = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as exc:
        raise PoolError(f"could not parse config: {exc}") from exc
    if not isinstance(config, dict):
        raise PoolError("could not parse config: a mapping is expected")
    pools: list[Pool] = []
    listed = config.get("address-pools") or []
    if not isinstance(listed, list):
        raise PoolError("could not parse config: address-pools is a list")
    for index, raw in enumerate(listed):
        pool = _parse_pool(index, raw)
        for other in pools:
            if other.name == pool.name:
                raise PoolError(f'parsing address pool #{index + 1}: duplicate name "{pool.name}"')
            _check_overlap(pool, other)
        pools.append(pool)
    return tuple(pools)


def _parse_pool(index: int, raw: Any) -> Pool:
    where = f"parsing address pool #{index + 1}"
    if not isinstance(raw, dict) or not raw.get("name"):
        raise PoolError(f"{where}: missing pool name")
    if raw.get("protocol") not in ("bgp", "layer2"):
        raise PoolError(f'{where}: unknown protocol "{raw.get("protocol")}"')
    if not raw.get("addresses"):
        raise PoolError(f"{where}: pool has no prefixes defined")
    if not isinstance(raw["addresses"], list):
        raise PoolError(f"{where}: addresses is a list")
    blocks = [b for text in raw["addresses"] for b in parse_block(str(text), where)]
    auto, avoid = raw.get("auto-assign", True), raw.get("avoid-buggy-ips", False)
    return Pool(str(raw["name"]), tuple(blocks), auto is not False, avoid is True)


def parse_block(text: str, where: str = "parsing addresses") -> list[Network]:
    """`172.16.10.0/24` or `172.16.10.5-172.16.10.9`, of either IP version."""
    try:
        if "-" not in text:
            return [ip_network(text.strip(), strict=False)]
        first, last = (ip_address(part.strip()) for part in text.split("-", 1))
        return list(summarize_address_range(first, last))
    except (ValueError, TypeError) as exc:
        raise PoolError(f'{where}: invalid CIDR "{text}": {exc}') from exc


def _check_overlap(pool: Pool, other: Pool) -> None:
    for block in pool.blocks:
        for taken in other.blocks:
            if block.overlaps(taken):
                raise PoolError(
                    f'CIDR "{block}" in pool "{pool.name}" overlaps with already defined CIDR '
                    f'"{taken}"'
                )
