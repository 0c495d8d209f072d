"""The node's maps as the agent writes them: operations in order, in as few calls as it can."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from lab.agent.services.entries import AFFINITY_MATCH, Entries
from lab.agent.services.families import BACKENDS, FAMILIES, MAGLEV
from lab.agent.services.remembered import LastIds, last_ids
from lab.agent.services.table import Operation
from lab.bpf import maglev, tables
from lab.bpf.maps import Map
from lab.bpf.stale_sockets import Connected, end_stale

CONNECTIONS = (tables.CT_TCP, tables.CT_ANY, tables.CT_TCP6, tables.CT_ANY6)
_SHARED = (
    tables.AFFINITY_MATCH,
    tables.IPCACHE,
    tables.ENDPOINTS,
    tables.SOCKETS,
    *CONNECTIONS,
)
"""The maps of both address families."""


class NodeMaps:
    """The pinned maps that the agent fills, of the IP `versions` that the node has."""

    def __init__(self, versions: Iterable[int]) -> None:
        families = [FAMILIES[version] for version in versions]
        opened = [table for each in families for table in (*each.plain, each.maglev)]
        self._maps: dict[str, Map[Any, Any]] = {
            table.name: Map.pinned(table) for table in (*_SHARED, *opened)
        }
        self._tables = [each.maglev.name for each in families]
        self._plain = [AFFINITY_MATCH, *(table.name for each in families for table in each.plain)]

    def services(self) -> Entries:
        """What the load balancer's maps hold."""
        plain = {
            (name, key): value
            for name in self._plain
            for key, value in self._maps[name].raw_items()
        }
        return plain | {
            (name, key): image
            for name in self._tables
            for key, image in maglev.read(self._maps[name]).items()
        }

    def remembered(self) -> LastIds:
        """The ids that flows of the node may still have."""
        return last_ids(
            entry for table in CONNECTIONS for entry in self._maps[table.name].raw_items()
        )

    def read(self, name: str) -> dict[bytes, bytes]:
        return dict(self._maps[name].raw_items())

    def carry_out(self, operations: Iterable[Operation]) -> None:
        """Do all operations in their order; BpfError at the first that fails."""
        for (name, removing), run in groupby(operations, lambda op: (op.map, op.value is None)):
            part = list(run)
            if removing:
                self._remove(name, part)
            else:
                self._write(name, part)

    def end_stale_sockets(self) -> list[Connected]:
        """End the node's UDP sockets whose backend is gone."""
        backends = [self._maps[name] for name in BACKENDS if name in self._maps]
        return end_stale(self._maps[tables.SOCKETS.name], backends)

    def _write(self, name: str, operations: Sequence[Operation]) -> None:
        if name in MAGLEV:
            self._write_tables(name, operations)
            return
        self._maps[name].update_raw([(op.key, op.value or b"") for op in operations])

    def _write_tables(self, name: str, operations: Sequence[Operation]) -> None:
        """Frontends with equal tables share one map: a table has 64 KiB."""
        users: dict[bytes, list[int]] = {}
        for op in operations:
            users.setdefault(op.value or b"", []).append(int.from_bytes(op.key, sys.byteorder))
        maglev.share(self._maps[name].fd, users)

    def _remove(self, name: str, operations: Sequence[Operation]) -> None:
        self._maps[name].delete_raw(op.key for op in operations)
