"""Addresses for the pods of a node: which pod has which, kept over restarts of the agent."""

from __future__ import annotations

import json
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from lab.errors import LabError
from lab.topology.resolve import address6_of


class PodAddresses:
    """Gives the next free address of the node's pod network; those just freed come last.

    `file` keeps what was given, `reserved` is never given (the router's address). With `network6`
    each address has a counterpart there that reads like it: 10.0.1.7 and fd00:10:0:1::7.
    """

    def __init__(
        self,
        network: IPv4Network,
        file: Path,
        reserved: Collection[IPv4Address],
        network6: IPv6Network | None = None,
    ) -> None:
        self._network = network
        self._network6 = network6
        self._file = file
        self._reserved = {int(address) for address in reserved}
        self._given: dict[str, int] = {}
        self._previous = int(network.network_address)
        if file.exists():
            kept = json.loads(file.read_text())
            self._given, self._previous = kept["given"], kept["previous"]

    def take(self, uid: str) -> IPv4Address:
        """The address of a pod, given now if it has none; LabError when all are taken."""
        if uid not in self._given:
            self._given[uid] = self._previous = self._free()
            self._save()
        return IPv4Address(self._given[uid])

    def counterpart(self, address: IPv4Address) -> IPv6Address | None:
        """The IPv6 address of the pod that has this IPv4 address."""
        if self._network6 is None:
            return None
        return address6_of(IPv4Interface((address, self._network.prefixlen)), self._network6).ip

    def give_back(self, uid: str) -> None:
        if self._given.pop(uid, None) is not None:
            self._save()

    def _free(self) -> int:
        first = int(self._network.network_address) + 1
        last = int(self._network.broadcast_address) - 1
        taken = self._reserved | set(self._given.values())
        for offset in range(last - first + 1):
            candidate = first + (self._previous + 1 - first + offset) % (last - first + 1)
            if candidate not in taken:
                return candidate
        raise LabError(f"no address is left in the node's pod network {self._network}")

    def _save(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"given": self._given, "previous": self._previous}))
        fresh.replace(self._file)
