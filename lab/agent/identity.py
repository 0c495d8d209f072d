"""Numbers of pods' security identities: the same on every node without asking.

Cilium agrees on numbers through objects in the cluster. Here the number is a hash of the labels;
two sets of labels that meet in one number (one chance in 65,000 a pair) share an identity, which
nothing in the lab depends on but the flow log's text.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from lightkube.resources.core_v1 import Pod

from lab.bpf.codes import Identity
from lab.hubble.identity import FIRST, LAST, pod_labels, reserved_labels


def labels_of(pod: Pod) -> tuple[str, ...]:
    """The labels that make a pod's identity, each with its source in front."""
    assert pod.metadata is not None
    account = pod.spec.serviceAccountName if pod.spec else None
    return pod_labels(
        pod.metadata.labels or {},
        namespace=pod.metadata.namespace or "",
        service_account=account or "default",
    )


def identities(pods: Iterable[Pod]) -> dict[int, tuple[str, ...]]:
    """All identities there are, by number: the reserved ones and those of pods."""
    reserved = {each.value: reserved_labels(each.value) for each in Identity if each.value}
    labels = {labels_of(pod) for pod in pods}
    return {**reserved, **dict(sorted((number_of(each), each) for each in labels))}


def number_of(labels: tuple[str, ...]) -> int:
    """The number of a set of labels, above the reserved ones and within 16 bits."""
    return FIRST + zlib.crc32("\0".join(labels).encode()) % (LAST - FIRST + 1)
