"""The distribution's packages that the lab needs, and how their presence is seen.

A package counts as there when its program or file is there, wherever it came from: a kubectl or a
clang that the user installed in another way is used as it is. Looking costs a few dozen `stat`
calls, so every start looks and a removed package is noticed at once.
"""

from __future__ import annotations

import os

from lab.setup import environment

PLACES = ("/usr/local/sbin", "/usr/sbin", "/sbin", environment.PROGRAMS)
"""Where programs are besides the PATH: root's, which Debian keeps off the PATH of other users,
and the Python environment's."""


class Package:
    """One need: the names of the packages that meet it, and the programs and files that show it.

    (A plain class: importing `dataclasses` costs more than everything else a warm start does.)
    """

    __slots__ = ("files", "names", "programs", "use")

    def __init__(
        self,
        names: str,
        use: str,
        *,
        programs: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
    ) -> None:
        self.names = tuple(names.split())
        self.use = use
        self.programs = programs
        self.files = files

    def present(self) -> bool:
        """Whether each of its programs is on the PATH and each of its files is there."""
        return all(map(find_program, self.programs)) and all(map(os.path.exists, self.files))


def find_program(name: str) -> str | None:
    """The program's path, looked up on the PATH and in PLACES; None without one."""
    for directory in (*os.get_exec_path(), *PLACES):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    return None


VENV_MODULE = os.path.join(os.path.dirname(os.__file__), "ensurepip", "__init__.py")
"""Debian and Ubuntu keep this part of the standard library in a package of its own."""

RUN = (
    Package("python3-venv", "the Python environment", files=(VENV_MODULE,)),
    Package("frr", "BGP and BFD on the router and on each node", files=("/usr/lib/frr/bgpd",)),
    Package("mininet", "mnexec, by which nodes get namespaces", programs=("mnexec",)),
    Package("clang", "compiles the eBPF programs", programs=("clang",)),
    Package(
        "libbpf-dev libc6-dev",
        "loads the eBPF programs; kernel headers for them",
        files=("/usr/include/bpf/bpf_helpers.h", "/usr/include/linux/bpf.h"),
    ),
    Package("bpftool", "shows maps and programs", programs=("bpftool",)),
    Package("nginx", "the web server in the pods", programs=("nginx",)),
    Package("kubernetes-client", "kubectl", programs=("kubectl",)),
    Package("iproute2", "ip, tc, bridge, ss", programs=("ip", "tc", "bridge", "ss", "nstat")),
    Package("iputils-ping", "ping", programs=("ping",)),
    Package("traceroute", "shows the hops of a routing loop", programs=("traceroute",)),
    Package("curl", "the clients' HTTP", programs=("curl",)),
    Package("tcpdump", "captures", programs=("tcpdump",)),
    Package("nftables", "shows that netfilter is empty", programs=("nft",)),
    Package("procps", "ps and sysctl", programs=("ps", "sysctl")),
    Package("ethtool", "offloads", programs=("ethtool",)),
    Package("iperf3", "throughput", programs=("iperf3",)),
    Package("graphviz", "pictures of a topology", programs=("dot",)),
    Package("openssl", "the API server's certificate", programs=("openssl",)),
)
"""What `lab run` needs, named as in Debian 12."""

TEST = (
    Package(
        "chromium chromium-driver",
        "the browser that opens the web GUI",
        programs=("chromium", "chromedriver"),
    ),
    Package("bridge-utils", "brctl, for plain IPMininet in the benchmarks", programs=("brctl",)),
    Package("iptables", "kube-proxy's rules in the benchmarks", programs=("iptables-restore",)),
)
"""What `lab test` and `lab bench` need besides."""

UBUNTU: dict[str, tuple[str, ...]] = {
    "bpftool": ("linux-tools-common", "linux-tools-generic"),
    "kubernetes-client": (),
}
"""Debian's name -> Ubuntu's packages; none where only a snap has it, and snaps are of no use here:
they refuse to start inside namespaces that they did not make."""

NOT_ON_UBUNTU = frozenset({"chromium"})
"""Done without there, for the same reason."""


def needed(*, test: bool, family: str = "debian") -> tuple[Package, ...]:
    """The needs of one goal on a family of distributions."""
    wanted = RUN + TEST if test else RUN
    if family != "ubuntu":
        return wanted
    return tuple(package for package in wanted if not NOT_ON_UBUNTU & set(package.names))


def names_on(family: str, package: Package) -> tuple[str, ...]:
    """The package names that meet a need on `debian` or `ubuntu`; none: apt has none there."""
    if family != "ubuntu":
        return package.names
    return tuple(found for name in package.names for found in UBUNTU.get(name, (name,)))
