from __future__ import annotations

from pathlib import Path

from lab.sandbox.entry import Entry

ENTRY = Entry(pid1=700, holder=12, cgroup=Path("/sys/fs/cgroup/lab-x/client1"))
NAMESPACES = "/proc/700/root/proc/12/ns"


def test_inside_is_the_nodes_cgroup_and_all_its_namespaces() -> None:
    argv = ENTRY.inside(["ip", "-br", "a"])
    assert argv[:2] == ["sh", "-c"]
    assert argv[3] == "/sys/fs/cgroup/lab-x/client1/cgroup.procs"
    assert argv[4:] == [
        "nsenter",
        f"--mount={NAMESPACES}/mnt",
        f"--uts={NAMESPACES}/uts",
        f"--ipc={NAMESPACES}/ipc",
        f"--net={NAMESPACES}/net",
        f"--pid={NAMESPACES}/pid",
        "--",
        "env",
        "--default-signal=INT,QUIT",
        "setpriv",
        "--pdeathsig",
        "TERM",
        "--",
        "ip",
        "-br",
        "a",
    ]


def test_on_wire_is_the_network_without_the_files() -> None:
    argv = ENTRY.on_wire(["tcpdump"])
    assert argv[3:7] == [
        "/sys/fs/cgroup/lab-x/client1/cgroup.procs",
        "nsenter",
        f"--net={NAMESPACES}/net",
        f"--pid={NAMESPACES}/pid",
    ]
    assert argv[7] == "--"
    assert argv[-1] == "tcpdump"


def test_the_network_is_a_file_that_setns_takes() -> None:
    assert Path(f"{NAMESPACES}/net") == ENTRY.network
