"""Pods: namespaces, containers as plain processes, probes, status; what a kubelet does."""
