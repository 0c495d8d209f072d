"""From a plan to running nodes: IPMininet's objects over namespaces and netlink."""
