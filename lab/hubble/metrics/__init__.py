"""Prometheus metrics of flows, with Hubble's names, labels and context options."""
