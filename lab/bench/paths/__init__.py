"""Paths from a client to a pod without a lab: what the lab is compared with."""
