"""Identities: fixed reserved numbers, one number a set of labels."""

from __future__ import annotations

from lab.hubble import identity


def test_reserved_numbers() -> None:
    assert identity.reserved_labels(2) == ("reserved:world",)
    assert identity.reserved_labels(6) == ("reserved:remote-node",)
    assert identity.reserved_labels(4711) == ()


def test_labels_that_change_with_every_roll_out_are_left_out() -> None:
    labels = {"svc": "web1-lb", "pod-template-hash": "696bfbbbc4"}
    assert identity.pod_labels(labels, namespace="default") == (
        "k8s:io.cilium.k8s.policy.cluster=default",
        "k8s:io.cilium.k8s.policy.serviceaccount=default",
        "k8s:io.kubernetes.pod.namespace=default",
        "k8s:svc=web1-lb",
    )
