"""Features of the kernel, each tried for real.

Links, queueing disciplines and next-hop groups are made in a network namespace that ends with the
command that tries it, so nothing reaches the host's own network. BPF features are read from
`bpftool feature probe kernel`, which loads small programs and creates maps to find out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import shell
from lab.doctor.finding import Finding, found

KERNEL = "kernel"
BPF = "eBPF"


@dataclass(frozen=True)
class Trial:
    """A feature, the command that needs it, and what the lab loses without (needed if empty)."""

    name: str
    argv: str
    cost: str = ""


TRIALS = (
    Trial("namespaces", "unshare --pid --fork --mount --uts --ipc --net true"),
    Trial("veth", "ip link add a0 type veth peer name b0"),
    Trial("bridge", "ip link add a0 type bridge"),
    Trial("vxlan external", "ip link add a0 type vxlan external dstport 8472"),
    Trial("clsact", "tc qdisc add dev lo clsact"),
    Trial("IPv4 forwarding", "test -w /proc/sys/net/ipv4/ip_forward"),
    Trial(
        "layer-4 ECMP hash",
        "test -e /proc/sys/net/ipv4/fib_multipath_hash_policy",
    ),
    Trial(
        "resilient next hops",
        "sh -c 'ip link set lo up && ip nexthop add id 1 dev lo"
        " && ip nexthop add id 2 group 1 type resilient buckets 8'",
        "ecmp-rehash compares hash-threshold groups only",
    ),
    Trial("bpffs", "unshare --mount mount -t bpf bpf /sys/fs/bpf"),
    Trial(
        "netem",
        "tc qdisc add dev lo root netem delay 1ms",
        "no delay faults; loss, corruption and rate limits work without it",
    ),
    Trial(
        "htb",
        "tc qdisc add dev lo root handle 1: htb",
        "no rate limits shared by several flows",
    ),
    Trial("tbf", "tc qdisc add dev lo root tbf rate 1mbit burst 4kb latency 9ms", "no rate limits"),
    Trial("IPv6", "test -d /proc/sys/net/ipv6/conf/all", "dual-stack and IPv6 sessions cannot run"),
)

BPF_TYPES = (
    ("program_types", "sched_cls_prog_type", ""),
    ("program_types", "cgroup_sock_addr_prog_type", "nodes cannot balance their own connections"),
    ("map_types", "ringbuf_map_type", ""),
    ("map_types", "lru_hash_map_type", ""),
    ("map_types", "lpm_trie_map_type", ""),
    ("map_types", "hash_of_maps_map_type", ""),
)
"""Section and key of bpftool's answer, and the cost of doing without (needed if empty)."""

HELPERS = (
    ("bpf_redirect_peer", ""),
    ("bpf_redirect_neigh", ""),
    ("bpf_fib_lookup", ""),
    ("bpf_skb_set_tunnel_key", ""),
    ("bpf_ringbuf_output", ""),
)
"""Helpers that the tc programs call."""

BTF = Path("/sys/kernel/btf/vmlinux")
PROBE_SECONDS = 30.0


def kernel_features() -> Iterator[Finding]:
    """Try everything; needs root."""
    yield found(KERNEL, "release", True, seen=os.uname().release)
    for trial in TRIALS:
        yield _tried(trial)
    yield found(BPF, "BTF", BTF.exists(), seen=str(BTF))
    yield from _bpf(_probe())


def _tried(trial: Trial) -> Finding:
    result = shell.probe(["unshare", "--net", "--", "sh", "-c", trial.argv])
    seen = "" if result.ok else f"`{trial.argv}`: {_last_line(result.err or result.out)}"
    return found(KERNEL, trial.name, result.ok, seen=seen, cost=trial.cost)


def _probe() -> Mapping[str, Any]:
    argv = ["bpftool", "feature", "probe", "kernel", "-j"]
    answer: Mapping[str, Any] = shell.run(argv, timeout=PROBE_SECONDS).json()
    return answer


def _bpf(answer: Mapping[str, Any]) -> Iterator[Finding]:
    jit = answer.get("system_config", {}).get("bpf_jit_enable")
    yield found(BPF, "JIT", jit != 0, seen="on", cost="programs are interpreted: many times slower")
    for section, key, cost in BPF_TYPES:
        name = key.removesuffix("_type").replace("_", " ")
        present = bool(answer.get(section, {}).get(f"have_{key}"))
        yield found(BPF, name, present, seen="" if present else "the kernel has none", cost=cost)
    helpers = set(answer.get("helpers", {}).get("sched_cls_available_helpers", ()))
    for name, cost in HELPERS:
        present = name in helpers
        yield found(BPF, name, present, seen="" if present else "no such helper", cost=cost)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a word"
