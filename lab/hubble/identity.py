"""Security identities: numbers for sets of labels.

Reserved numbers are fixed by Cilium (pkg/identity). Every other identity stands for one set of
security-relevant labels, and all pods with the same set share it.
"""

from __future__ import annotations

from collections.abc import Mapping

CLUSTER = "default"
"""The name of the lab's one cluster: Cilium's default."""

RESERVED = {
    0: "unknown",
    1: "host",
    2: "world",
    3: "unmanaged",
    4: "health",
    5: "init",
    6: "remote-node",
    7: "kube-apiserver",
    8: "ingress",
    9: "world-ipv4",
    10: "world-ipv6",
}
UNKNOWN, HOST, WORLD, REMOTE_NODE, KUBE_APISERVER = 0, 1, 2, 6, 7

FIRST, LAST = 256, 65535
"""Range of numbers for identities of workloads in one cluster."""

NUMBERS = {name: number for number, name in RESERVED.items()}

IGNORED_LABELS = frozenset(
    {
        "controller-revision-hash",
        "pod-template-generation",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
    }
)
"""Pod labels that change from one roll-out or replica to the next and select nobody."""


def reserved_labels(number: int) -> tuple[str, ...]:
    """Labels of a reserved identity, ("reserved:world",) for 2; empty for any other number."""
    name = RESERVED.get(number)
    return () if name is None else (f"reserved:{name}",)


def pod_labels(
    labels: Mapping[str, str],
    *,
    namespace: str,
    service_account: str = "default",
    cluster: str = CLUSTER,
) -> tuple[str, ...]:
    """The security-relevant labels of a pod, sorted, each with its source ("k8s:app=web1")."""
    relevant = {key: value for key, value in labels.items() if key not in IGNORED_LABELS}
    relevant["io.kubernetes.pod.namespace"] = namespace
    relevant["io.cilium.k8s.policy.serviceaccount"] = service_account
    relevant["io.cilium.k8s.policy.cluster"] = cluster
    return tuple(sorted(f"k8s:{key}={value}" for key, value in relevant.items()))
