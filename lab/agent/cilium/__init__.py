"""The `cilium` command on a node: what its maps hold, what its agent says, what happens now.

Everything but `status`, `monitor` and the lists of endpoints, identities and nodes reads maps and
FRR directly, and works while no agent runs.
"""
