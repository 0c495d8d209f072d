"""Cilium's side of the control plane: its resources, its operator, Hubble's pods."""
