"""Topologies: pure data, checked and resolved without root and without I/O."""
