"""What a node finds in its namespaces: its files, its kernel settings.

`Room.furnish` runs inside the node's new namespaces. Files that the user may want to read lie in
the node's part of the run directory and are bound to the place where programs look for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

from lab.emulation import messages
from lab.emulation.netlink import Netlink
from lab.frr.daemons import ACCOUNT
from lab.sandbox.mounts import mount_sys
from lab.sandbox.orphans import give_up_orphans_soon
from lab.sandbox.syscalls import Mount, mount
from lab.topology.plan import Plan, PlannedNode

CGROUPS = Path("/sys/fs/cgroup")
"""Root of the lab's own cgroup, seen from inside the sandbox."""

_TMPFS = Mount.NO_DEV | Mount.NO_SUID

_QUIET: Mapping[str, int] = {
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/accept_redirects": 0,
    "net/ipv4/conf/default/accept_redirects": 0,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    "net/core/txrehash": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
}
"""No reverse-path filter (a reply may take another way than its request), no redirects (they
would undo ECMP), no IPv6 address by itself. A socket's hash travels with its packets from node to
node, where the router deals them out by it: it must not change when a segment is sent again, as a
hash of addresses and ports would not (Linux 5.18). Source: ip-sysctl.rst, sysctl/net.rst."""

_NO_LINK_LOCAL: Mapping[str, int] = {"net/ipv6/conf/default/addr_gen_mode": 1}
"""Without IPv6 in the plan no word of it is heard. With it, a router needs link-local addresses:
they are the source of its neighbor solicitations for packets that it forwards."""

_FORWARDING: Mapping[str, int] = {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/fib_multipath_hash_policy": 1,
    "net/ipv6/fib_multipath_hash_policy": 1,
    "net/ipv6/conf/all/forwarding": 1,
}
"""Policy 1 hashes the five-tuple, so that one client spreads over all next hops."""


@dataclass(frozen=True)
class Room:
    """The place of one node: `home` is its directory in the run directory."""

    node: PlannedNode
    run_dir: Path

    @property
    def home(self) -> Path:
        return self.run_dir / "nodes" / self.node.name

    def furnish(self) -> None:
        """Prepare the calling process's new namespaces for the node."""
        _join_cgroup(self.node.name)
        mount("none", "/", flags=Mount.RECURSIVE | Mount.PRIVATE)
        _own_run(self.run_dir)
        mount_sys()
        for file in ("hosts", "resolv.conf"):
            _bind_file(self.run_dir / file, Path("/etc") / file)
        if self.node.daemons:
            _frr_places(self.home / "frr")
        write_settings(_settings(self.node))
        give_up_orphans_soon()
        with Netlink() as netlink:
            netlink.send([messages.set_up(messages.LOOPBACK)])

    def vacate(self) -> None:
        """Kill every process of the node at once (cgroup.kill, Linux 5.14)."""
        (CGROUPS / self.node.name / "cgroup.kill").write_text("1")


def prepare_files(plan: Plan, run_dir: Path) -> None:
    """Write what all nodes share and make their directories; before any node starts."""
    (run_dir / "hosts").write_text(hosts_file(plan))
    (run_dir / "resolv.conf").write_text("")
    for node in plan.nodes:
        for part in ("log", "frr") if node.daemons else ("log",):
            (run_dir / "nodes" / node.name / part).mkdir(parents=True, exist_ok=True)


def hosts_file(plan: Plan) -> str:
    """/etc/hosts of every node: the first address of each node, by name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{node.address} {node.name}" for node in plan.nodes]
    legs6 = [(node.name, leg.address6) for node in plan.nodes for leg in node.interfaces[:1]]
    lines += [f"{address6.ip} {name}" for name, address6 in legs6 if address6 is not None]
    return "\n".join(lines) + "\n"


def write_settings(settings: Mapping[str, int]) -> None:
    """Write values below /proc/sys; one that this kernel does not have is left out."""
    for name, value in settings.items():
        path = Path("/proc/sys") / name
        if path.exists():
            path.write_text(str(value))


def quiet_bridges() -> None:
    """Keep the caller's bridges out of netfilter and IPv6; before the first one is made."""
    names = ("arptables", "iptables", "ip6tables")
    write_settings(
        {
            **{f"net/bridge/bridge-nf-call-{name}": 0 for name in names},
            "net/ipv6/conf/default/disable_ipv6": 1,
        }
    )


def _settings(node: PlannedNode) -> Mapping[str, int]:
    """The kernel settings of a node; interfaces made later take over the `default` ones."""
    has_ipv6 = any(leg.address6 is not None for leg in node.interfaces)
    return {
        **_QUIET,
        **({} if has_ipv6 else _NO_LINK_LOCAL),
        **(_FORWARDING if node.daemons else {}),
    }


def _join_cgroup(node: str) -> None:
    """Move the caller into the node's cgroup, so that all processes of a node end together."""
    cgroup = CGROUPS / node
    cgroup.mkdir(exist_ok=True)
    (cgroup / "cgroup.procs").write_text("0")


def _own_run(run_dir: Path) -> None:
    """An empty /run with the run directory at its place."""
    handle = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount("node", "/run", "tmpfs", _TMPFS, "mode=755")
    run_dir.mkdir(parents=True, exist_ok=True)
    mount(f"/proc/self/fd/{handle}", run_dir, flags=Mount.BIND | Mount.RECURSIVE)
    os.close(handle)
    _directories("/run/cilium", "/run/netns", "/run/lock")


def _bind_file(source: Path, target: Path) -> None:
    """Show a file of the run directory at a path of /etc that may be a link into /run.

    A file that the host does not have is left out: making one in /etc would make it the host's.
    """
    place = Path(os.path.realpath(target))
    if not place.exists() and place.is_relative_to("/run"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    if place.exists():
        mount(source, place, flags=Mount.BIND)


def _frr_places(configuration: Path) -> None:
    """/etc/frr from the run directory, /run/frr empty, both of the daemons' account."""
    account = getpwnam(ACCOUNT)
    _directories("/run/frr")
    for path in (Path("/run/frr"), configuration, *configuration.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
    mount(configuration, "/etc/frr", flags=Mount.BIND)


def _directories(*paths: str) -> None:
    for path in paths:
        Path(path).mkdir(exist_ok=True)
