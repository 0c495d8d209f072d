"""A cluster whose processes die, are stopped, crash and come back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lab import shell
from lab.errors import SandboxError
from lab.sandbox.control import Refused
from lab.sandbox.handle import Lab
from lab.wait import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

WORKER = "k8s-worker1"
SETTLED_WITHIN = 30.0
"""Seconds; a bound for loaded machines."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    name = f"services-{os.getpid()}"
    command = [sys.executable, "-m", "lab.cli", "up", "basic", "--name", name, "-O", "workers=1"]
    shell.run(command, timeout=90)
    running = Lab.find(name)
    yield running
    running.end()


def pid_of(lab: Lab, service: str) -> int | None:
    pid: int | None = lab.ask("status")["services"].get(service)
    return pid


def ready_nodes(lab: Lab) -> set[str]:
    listed = lab.control_node().probe(["kubectl", "get", "nodes", "-o", "name"])
    return {line.removeprefix("node/") for line in listed.out.split()} if listed.ok else set()


@pytest.mark.parametrize("service", ["api-server", f"agent@{WORKER}", "hubble-port-forward"])
def test_a_service_that_is_killed_is_started_again(lab: Lab, service: str) -> None:
    before = pid_of(lab, service)
    assert before is not None
    count = lab.ask("status")["restarts"].get(service, 0)
    lab.node("client1").run(["kill", "-KILL", str(before)])
    after = until(
        lambda: pid_of(lab, service),
        lambda pid: pid not in (None, before),
        within=SETTLED_WITHIN,
        what=f"another process of {service}",
    )
    assert lab.ask("status")["restarts"][service] == count + 1
    assert lab.node("client1").run(["readlink", f"/proc/{after}/ns/pid"]).ok


def test_ps_of_a_lab_lists_its_nodes_and_services(lab: Lab) -> None:
    shown = shell.run([sys.executable, "-m", "lab.cli", "ps", lab.name]).out
    nodes, services = shown.split("\n\n")
    holder = lab.holders()["client1"]
    assert ["client1", "host", "192.168.10.11", str(holder)] in [
        line.split() for line in nodes.splitlines()
    ]
    listed = {line.split()[0]: line.split()[1] for line in services.splitlines()[1:]}
    agents = {"agent@k8s-master1", f"agent@{WORKER}"}
    assert set(listed) <= {"api-server", "hubble-port-forward", *agents}
    assert listed["agent@k8s-master1"] == str(pid_of(lab, "agent@k8s-master1"))


def test_an_agent_stands_in_its_nodes_namespaces(lab: Lab) -> None:
    pid = pid_of(lab, f"agent@{WORKER}")
    for kind in ("net", "mnt", "uts"):
        of_agent = lab.node(WORKER).run(["readlink", f"/proc/{pid}/ns/{kind}"]).out
        assert of_agent == lab.node(WORKER).run(["readlink", f"/proc/self/ns/{kind}"]).out
    cgroup = lab.node(WORKER).run(["cat", f"/proc/{pid}/cgroup"]).out.splitlines()[-1]
    assert cgroup == f"0::/lab-{lab.name}/{WORKER}"


def test_a_stopped_service_stays_stopped_until_it_is_started(lab: Lab) -> None:
    lab.ask("stop-service", name="api-server")
    assert pid_of(lab, "api-server") is None
    assert not lab.control_node().probe(["kubectl", "get", "nodes"]).ok
    lab.ask("start-service", name="api-server")
    until(
        lambda: ready_nodes(lab),
        lambda names: WORKER in names,
        within=SETTLED_WITHIN,
        what="nodes that kubectl lists",
    )


def test_a_crashed_node_is_down_and_boots_with_its_links(lab: Lab) -> None:
    addresses = ["ip", "-br", "address", "show", "eth0"]
    before = lab.node(WORKER).run(addresses).out.split()[2]
    lab.ask("crash-node", node=WORKER)
    with pytest.raises(SandboxError, match=f"node {WORKER} of lab {lab.name} is down"):
        lab.node(WORKER).run(["true"])
    master = lab.node("k8s-master1")
    assert not master.probe(["ping", "-c", "1", "-W", "1", WORKER]).ok
    lab.ask("boot-node", node=WORKER)
    assert lab.node(WORKER).run(addresses).out.split()[2] == before
    master.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", WORKER])
    assert pid_of(lab, f"agent@{WORKER}") is not None


def test_a_cut_link_carries_nothing_until_it_is_mended(lab: Lab) -> None:
    ping = ["ping", "-c", "1", "-W", "1", "192.168.10.1"]
    lab.ask("cut-link", node="client1", interface="eth0")
    assert not lab.node("client1").probe(ping).ok
    lab.ask("mend-link", node="client1", interface="eth0")
    # The router's address is asked for once a second.
    until(lambda: lab.node("client1").probe(ping).ok, bool, within=20.0, what="client1's link")


@pytest.mark.parametrize(
    ("do", "fields", "said"),
    [
        ("stop-service", {"name": "nosuch"}, "no service 'nosuch'; there are agent@"),
        ("stop-service", {}, "needs 'name', a string"),
        ("crash-node", {"node": "nosuch"}, "no node 'nosuch'; there are "),
        ("cut-link", {"node": "client1", "interface": "eth9"}, "no interface 'eth9'; it has eth0"),
    ],
)
def test_a_wrong_request_changes_nothing(
    lab: Lab, do: str, fields: dict[str, Any], said: str
) -> None:
    before = lab.ask("status")
    with pytest.raises(Refused, match=said):
        lab.ask(do, **fields)
    assert lab.ask("status") == before


def test_objects_outlive_the_api_server(lab: Lab) -> None:
    kubectl, read = lab.control_node().probe, ["kubectl", "get", "namespace", "kept", "-o", "name"]
    manifest = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}'
    until(
        lambda: kubectl(["kubectl", "apply", "-f", "-"], input=manifest).ok,
        bool,
        within=SETTLED_WITHIN,
        what="a namespace, applied",
    )
    lab.node("client1").run(["kill", "-KILL", str(pid_of(lab, "api-server"))])
    until(
        lambda: kubectl(read).out,
        lambda out: out == "namespace/kept\n",
        within=SETTLED_WITHIN,
        what="the namespace after a restart of the API server",
    )
