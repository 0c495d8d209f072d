"""Topologies: pure data, checked and resolved without root and without I/O.

A topology file has a drawing as its docstring and a function `topology()` that returns one
`Topology`, written in the order of the drawing with the words of `lab.topology.model`:

    network("lan", "192.168.10.0/24", gateway="192.168.10.1")    a broadcast domain, its subnet
    host("client1")                                              a machine of that kind
    router("r1")  control("k8s-control")  master("m1")  worker("w1")
    link("r1:enp7s0", "lan", "192.168.10.1")                     a leg of a machine in a network
    many(worker, "k8s-worker{}", 20)                             twenty workers, 1 to 20
    links(workers, "nodes", "192.168.1.21")                      a leg each, consecutive addresses
    cluster(asn=64512, vip_pool="172.16.10.0/24")                Kubernetes over masters and workers

Options of the words are keywords; `lab.topology.vocabulary` lists them with their meaning.
`load(name)` reads such a file, `resolve(topology)` checks it and decides every name and address.
"""

from __future__ import annotations

from lab.topology.load import find, load, names
from lab.topology.model import (
    Topology,
    cluster,
    control,
    host,
    link,
    links,
    many,
    master,
    network,
    router,
    worker,
)
from lab.topology.plan import Plan
from lab.topology.resolve import resolve

__all__ = [
    "Plan",
    "Topology",
    "cluster",
    "control",
    "find",
    "host",
    "link",
    "links",
    "load",
    "many",
    "master",
    "names",
    "network",
    "resolve",
    "router",
    "worker",
]
