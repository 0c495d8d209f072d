"""`lab ui`: Hubble's web page in a browser of this host."""

from __future__ import annotations

import asyncio
import contextlib

import click

from lab import wait
from lab.cli.options import name_option
from lab.sandbox.forwarder import HOST, Forwarder, into
from lab.sandbox.handle import Lab, LabNode
from lab.topology.plan import NodeKind

SERVICE = "hubble-ui-lb"
NAMESPACE = ("-n", "kube-system")

READY = 30.0
"""Seconds for the page's pod to start and its address to be announced."""


@click.command()
@name_option
@click.option("--port", default=8081, show_default=True, help="Port of 127.0.0.1; 0 for any.")
def ui(name: str | None, port: int) -> None:
    """Show Hubble's web page at http://127.0.0.1:PORT/ until Ctrl-C.

    Exposes the page's deployment as the article does, unless that has been done.
    """
    running = Lab.find(name)
    address = expose(running)
    client = viewer(running)
    forwarder = Forwarder(into(client.entry.network, (address, 80)))

    def ready(bound: int) -> None:
        click.echo(f"http://{HOST}:{bound}/default")
        click.echo(f"(from {client.name} to {address}; Ctrl-C ends)", err=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forwarder.run(port, ready))


def expose(running: Lab) -> str:
    """The page's external address, once it answers there; WaitTimeout when it does not."""
    service = ["get", "service", SERVICE, *NAMESPACE, "--ignore-not-found", "-o", "name"]
    if not running.kubectl(*service).out.strip():
        running.kubectl(
            *("expose", "deployment", "hubble-ui", *NAMESPACE, "--name", SERVICE),
            *("--type", "LoadBalancer", "--port", "80", "--target-port", "8081"),
        )
    address = wait.until(
        lambda: external_address(running),
        bool,
        within=READY,
        what=f"an external address for {SERVICE}",
    )
    client = viewer(running)
    probe = ["curl", "-s", "-m", "2", "-o", "/dev/null", f"http://{address}/healthz"]
    wait.until(
        lambda: client.probe(probe).code,
        lambda code: code == 0,
        within=READY,
        what=f"an answer of {address} to curl on {client.name}",
    )
    return address


def external_address(running: Lab) -> str:
    """The address that the page's service has been given; empty before that."""
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return running.kubectl("get", "service", SERVICE, *NAMESPACE, "-o", path).out.strip()


def viewer(running: Lab) -> LabNode:
    """The node from which the page is looked at: a LAN client, else the management node."""
    clients = [node.name for node in running.plan.nodes if node.kind is NodeKind.HOST]
    return running.node(min(clients)) if clients else running.control_node()
