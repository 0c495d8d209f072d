"""Security identities of pods: a number for each set of labels, the same on every node.

Cilium agrees on numbers through objects in the cluster. Here the number is a hash of the labels,
so that nodes agree without asking; two sets of labels that meet in one number (one chance in
65,000 a pair) share an identity, which no policy of the lab depends on.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from lab.bpf.codes import Identity

FIRST = 256
LAST = 65535

RESERVED_LABELS: Mapping[int, tuple[str, ...]] = {
    identity.value: (f"reserved:{identity.name.lower().replace('_', '-')}",)
    for identity in Identity
}

_VOLATILE = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")


def identity_labels(
    labels: Mapping[str, str] | None, namespace: str, service_account: str | None
) -> tuple[str, ...]:
    """The labels that make a pod's identity, sorted, with their source in front."""
    own = [f"k8s:{name}={value}" for name, value in (labels or {}).items() if name not in _VOLATILE]
    given = [
        "k8s:io.cilium.k8s.policy.cluster=default",
        f"k8s:io.cilium.k8s.policy.serviceaccount={service_account or 'default'}",
        f"k8s:io.kubernetes.pod.namespace={namespace}",
    ]
    return tuple(sorted([*own, *given]))


def numeric(labels: tuple[str, ...]) -> int:
    """The number of a set of labels: above the reserved ones, and within 16 bits."""
    return FIRST + zlib.crc32("\0".join(labels).encode()) % (LAST - FIRST + 1)
