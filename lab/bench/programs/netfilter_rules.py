"""`netfilter_rules nftables|iptables COUNT`: services as netfilter's rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from lab.bench.paths.many_services import FIRST, TCP, UDP, backend, ports

NAMES = {TCP: "tcp", UDP: "udp"}


def nftables(count: int) -> Iterator[str]:
    """One rule and a map: the best that nftables offers. Rules one by one would be searched."""
    yield "table ip nat {"
    yield " map services {"
    yield "  type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"
    elements = (
        f"{NAMES[proto]} . {FIRST + n} . {port} : {backend(n, count)} . {port}"
        for n in range(count)
        for proto, port in ports(n, count)
    )
    yield f"  elements = {{ {', '.join(elements)} }}"
    yield " }"
    yield " chain prerouting {"
    yield "  type nat hook prerouting priority dstnat;"
    yield "  dnat ip to meta l4proto . ip daddr . th dport map @services"
    yield " }"
    yield "}"


def iptables(count: int) -> Iterator[str]:
    """Chains as kube-proxy makes them: all services, one service, one endpoint."""
    yield "*nat"
    yield ":KUBE-SERVICES - [0:0]"
    places = [(n, proto, port) for n in range(count) for proto, port in ports(n, count)]
    for n, proto, port in places:
        yield f":KUBE-SVC-{proto}-{port}-{n} - [0:0]"
        yield f":KUBE-SEP-{proto}-{port}-{n} - [0:0]"
    yield "-A PREROUTING -j KUBE-SERVICES"
    for n, proto, port in places:
        name, match = f"{proto}-{port}-{n}", f"-p {NAMES[proto]} -m {NAMES[proto]}"
        yield f"-A KUBE-SERVICES -d {FIRST + n}/32 {match} --dport {port} -j KUBE-SVC-{name}"
        yield f"-A KUBE-SVC-{name} -j KUBE-SEP-{name}"
        yield f"-A KUBE-SEP-{name} {match} -j DNAT --to-destination {backend(n, count)}:{port}"
    yield "COMMIT"


KINDS = {"nftables": nftables, "iptables": iptables}

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in KINDS[sys.argv[1]](int(sys.argv[2])))
