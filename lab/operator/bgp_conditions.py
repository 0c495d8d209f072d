"""What Cilium's operator reports of the BGP resources of version 2: conditions in their status.

Facts from Cilium's operator/pkg/bgpv2. Which node peers with whom is the agents' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from lab.controllers.conditions import set_condition
from lab.kube.api import Api
from lab.kube.kinds import NODE, SECRET, Resource
from lab.kube.selectors import from_object, matches
from lab.kube.store import Change, Key

Object = dict[str, Any]

CLUSTERS = "ciliumbgpclusterconfigs.cilium.io"
PEERS = "ciliumbgppeerconfigs.cilium.io"
SECRETS = "kube-system"
"""Namespace of the Secrets with passwords."""


class BgpConditions:
    """Keeps the conditions of all cluster and peer configurations."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        """Kind and name of every object with conditions."""
        return [
            (kind, key[1]) for kind in (CLUSTERS, PEERS) for key, _ in self._api.store.all(kind)
        ]

    def affected(self, change: Change) -> Iterable[Key]:
        """One object's conditions depend on all others: they are looked at together."""
        return self.existing() if _matters(change) else []

    def reconcile(self, key: Key) -> float | None:
        kind, name = key
        stored = self._api.store.get(kind, ("", name))
        if stored is not None:
            found = self._of_cluster if kind == CLUSTERS else self._of_peer
            self._report(kind, stored.object, found(stored.object))
        return None

    def _of_cluster(self, cluster: Object) -> Iterator[tuple[str, str]]:
        """Types of conditions with what there is to say; nothing when all is well."""
        nodes = self._nodes(cluster)
        yield "NoMatchingNode", "" if nodes else "No node matches spec.nodeSelector"
        missing = sorted(set(self._missing(cluster)))
        yield (
            "MissingPeerConfigs",
            _listed("Referenced CiliumBGPPeerConfig(s) are missing", missing),
        )
        # A node follows the one that came first: it has no conflict, the later ones do.
        clusters = (stored.object for _, stored in self._api.store.all(CLUSTERS))
        elder = (each for each in clusters if _age(each) < _age(cluster))
        others = sorted(_name(each) for each in elder if nodes & self._nodes(each))
        text = "Selecting the same node(s) with ClusterConfig(s)"
        yield "ConflictingClusterConfigs", _listed(text, others)

    def _nodes(self, cluster: Object) -> set[str]:
        """Names of the nodes that a cluster configuration selects: without a selector, all."""
        selector = from_object(cluster["spec"].get("nodeSelector")) or ()
        nodes = (s.object for _, s in self._api.store.all(NODE.qualified))
        return {_name(node) for node in nodes if matches(selector, _labels(node))}

    def _missing(self, cluster: Object) -> Iterator[str]:
        for instance in cluster["spec"]["bgpInstances"]:
            for peer in instance.get("peers") or ():
                name = (peer.get("peerConfigRef") or {}).get("name")
                if name and self._api.store.get(PEERS, ("", name)) is None:
                    yield name

    def _of_peer(self, peer: Object) -> Iterator[tuple[str, str]]:
        name = peer["spec"].get("authSecretRef")
        lacks = name and self._api.find(SECRET, (SECRETS, name)) is None
        yield "MissingAuthSecret", f'Referenced Auth Secret "{name}" is missing' if lacks else ""

    def _report(self, kind: str, stored: Object, found: Iterable[tuple[str, str]]) -> None:
        status = stored.get("status") or {}
        conditions = deepcopy(status.get("conditions") or [])
        for what, message in found:
            value = "True" if message else "False"
            set_condition(conditions, f"cilium.io/{what}", value, what, message)
        if conditions == status.get("conditions"):
            return
        obj = self._api.fresh(self._resource(kind), ("", _name(stored)))
        obj["status"] = {**status, "conditions": conditions}
        self._api.update(self._resource(kind), ("", _name(stored)), obj, subresource="status")

    def _resource(self, kind: str) -> Resource:
        return self._api.registry.stored_as(kind)


def _matters(change: Change) -> bool:
    """Nodes report often: of them, only their labels count."""
    if change.kind == SECRET.qualified:
        return (change.old is None) != (change.new is None)
    read = {CLUSTERS: _spec, PEERS: _spec, NODE.qualified: _labels}.get(change.kind)
    old, new = (read(s.object) if s and read else None for s in (change.old, change.new))
    return old != new


def _listed(text: str, names: list[str]) -> str:
    return f"{text}: [{' '.join(names)}]" if names else ""


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _spec(obj: Object) -> Object:
    return obj["spec"]  # type: ignore[no-any-return]


def _age(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"]["creationTimestamp"]), _name(obj)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
