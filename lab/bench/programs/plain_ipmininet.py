"""The network of a plan built by IPMininet as it comes: what the lab's bring-up is compared with.

    python -m lab.bench.programs.plain_ipmininet PLAN.json

The same nodes, networks and addresses; FRR on the same nodes, configured by IPMininet's own
classes and templates; nginx on every Kubernetes node, which announces the service's address and
answers on it. Prints one line of JSON: seconds from the start of this process to the first HTTP
200 at client1, and seconds that tearing down took.

Runs in namespaces of its own (see `bringup.py`). IPMininet's clean-up, which kills by name, is
replaced by an error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import mininet.clean
from ipmininet.ipnet import IPNet
from ipmininet.iptopo import IPTopo
from ipmininet.router.config import BGP, RouterConfig, bgp
from mininet.log import lg

from lab import shell
from lab.topology.plan import NodeKind, Plan, PlannedNode
from lab.wait import until

SCRATCH = Path("/tmp")
"""A tmpfs of this process's own mount namespace."""

NGINX = """\
daemon off; pid {here}/pid; error_log {here}/error;
events {{}}
http {{ access_log off; server {{ listen {address}:80; root /usr/share/nginx/html; }} }}
"""
WITHIN = 60.0


class PlainTopo(IPTopo):  # type: ignore[misc]  # IPMininet has no type hints
    """The plan, said with IPMininet's own words."""

    def build(self, plan: Plan, vip: str) -> None:
        speakers = {}
        for number, network in enumerate(plan.networks, start=1):
            self.addSwitch(network.name, stp=False, dpid=f"{number:x}")
        for node in plan.nodes:
            if _speaks_bgp(node):
                speakers[node.name] = self._add_speaker(node, vip)
            else:
                self.addHost(node.name)
            for leg in node.interfaces:
                self.addLink(
                    node.name,
                    leg.network,
                    intfName1=leg.name,
                    intfName2=f"{leg.network}-{leg.address.ip.packed[-1]}",
                    params1={"ip": (str(leg.address),)},
                )
        assert plan.cluster is not None
        self.addAS(plan.cluster.asn, list(speakers.values()))
        for node in plan.kube_nodes:
            bgp.bgp_peering(self, speakers["bgp-router1"], speakers[node.name])
        super().build()

    def _add_speaker(self, node: PlannedNode, vip: str) -> Any:
        announced = [f"{vip}/32"] if node.is_kube else []
        router = self.addRouter(node.name, config=RouterConfig, lo_addresses=announced)
        family = bgp.AF_INET(networks=announced)
        router.addDaemon(BGP, routerid=str(node.address), address_families=(family,))
        return router


def main(path: str) -> None:
    began = time.monotonic()
    plan = Plan.from_json(json.loads(Path(path).read_text()))
    vip = str(plan.cluster.vip_pool.network_address) if plan.cluster else ""
    _let_root_run_frr()
    lg.setLogLevel("error")
    net = IPNet(topo=PlainTopo(plan, vip), use_v6=False, allocate_IPs=False)
    net.start()
    servers = [_serve(net[node.name], node, vip) for node in plan.kube_nodes]
    until(lambda: _http_code(net["client1"], vip), "200".__eq__, within=WITHIN, what="HTTP 200")
    up = time.monotonic()
    for server in servers:
        server.terminate()
    net.stop()
    sys.stdout.write(json.dumps({"up": up - began, "down": time.monotonic() - up}))


def _speaks_bgp(node: PlannedNode) -> bool:
    return node.is_kube or node.kind is NodeKind.ROUTER


def _serve(emulated: Any, node: PlannedNode, address: str) -> Any:
    """nginx, and the way back to the clients, which the router announces to nobody."""
    emulated.pexec(["ip", "route", "add", "default", "via", str(node.default_route)])
    here = SCRATCH / f"nginx-{node.name}"
    here.mkdir()
    configuration = here / "nginx.conf"
    configuration.write_text(NGINX.format(here=here, address=address))
    return emulated.popen(["nginx", "-e", f"{here}/error", "-c", str(configuration)])


def _http_code(client: Any, address: str) -> str:
    argv = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-m",
        "0.2",
        "-w",
        "%{http_code}",
        f"http://{address}/",
    ]
    answer, _, _ = client.pexec(argv)
    return str(answer)


def _let_root_run_frr() -> None:
    """IPMininet starts FRR's daemons as root, which FRR refuses unless root is in its groups."""
    groups = Path("/etc/group")
    changed = SCRATCH / "group"
    lines = groups.read_text().splitlines()
    changed.write_text("".join(f"{_with_root(line)}\n" for line in lines))
    shell.run(["mount", "--bind", str(changed), str(groups)])
    os.environ["PATH"] += ":/usr/lib/frr"


def _with_root(line: str) -> str:
    """A line of /etc/group, with root among the members if it is one of FRR's."""
    if not line.startswith("frr"):
        return line
    return f"{line},root" if line[-1] != ":" else f"{line}root"


def _refuse() -> None:
    raise AssertionError("mininet.clean kills by name and must never run")


if __name__ == "__main__":
    mininet.clean.cleanup = _refuse
    main(sys.argv[1])
