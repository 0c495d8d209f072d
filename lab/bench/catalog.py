"""All benchmarks, in the order in which they run."""

from __future__ import annotations

from lab.bench import (
    apply,
    balancing,
    bringup,
    cluster,
    datapath,
    events,
    flows,
    loading,
    memory,
    page,
    pressure,
    services,
    withdraw,
)
from lab.bench.model import Benchmark

BENCHMARKS = (
    Benchmark("bringup", "from the command to the first HTTP 200, and down again", bringup.measure),
    Benchmark("memory", "the whole basic lab", memory.measure),
    Benchmark("balancing", "through the VIP against the same path without it", balancing.measure),
    Benchmark("services", "one service and 10,000, against netfilter and VXLAN", services.measure),
    Benchmark("loading", "10,000 services into a node's maps", loading.measure),
    Benchmark("pressure", "a crowd, a flood, programs replaced", pressure.measure),
    Benchmark("datapath", "what the program on the uplink takes a packet", datapath.measure),
    Benchmark("apply", "from kubectl apply to six next hops on the router", apply.measure),
    Benchmark("withdraw", "from the last local pod's end to no route", withdraw.measure),
    Benchmark("flows", "the flow log of one node", flows.measure),
    Benchmark("events", "packets through the VIP with flow events against without", events.measure),
    Benchmark("page", "Hubble's page in a browser of the LAN", page.measure),
    Benchmark("cluster", "addresses, a thousand services, long lists", cluster.measure),
)
