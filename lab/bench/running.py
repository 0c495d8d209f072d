"""A lab for a benchmark, brought up as a user does: by the command line, under its own name."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab import shell
from lab.sandbox.handle import Lab
from lab.wait import until

VIP_WITHIN = 30.0
"""Seconds until an applied service answers, at most."""


def name_of(benchmark: str) -> str:
    """A lab's name that no other run of the benchmarks has."""
    return f"bench-{benchmark}-{os.getpid()}"


def command(*words: str) -> list[str]:
    """The words that run the lab's own command line."""
    return [sys.executable, "-m", "lab", *words]


@contextmanager
def running(benchmark: str, *options: str) -> Iterator[Lab]:
    """The basic lab for the length of a `with` block; options are those of `lab up`."""
    name = name_of(benchmark)
    shell.run(command("up", "basic", "--name", name, *options), timeout=60)
    try:
        yield Lab.find(name)
    finally:
        shell.run(command("down", name), timeout=60)


def apply(lab: Lab, *manifests: dict[str, object]) -> None:
    """Apply objects as kubectl does with a file of them."""
    value = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    lab.kubectl("apply", "-f", "-", input=json.dumps(value))


def address_of(lab: Lab, service: str) -> str:
    """The address that a LoadBalancer service got."""
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return until(
        lambda: lab.kubectl("get", "service", service, "-o", path).out,
        bool,
        within=VIP_WITHIN,
        what=f"an address for service {service}",
    )


def answers(lab: Lab, client: str, url: str) -> None:
    """Return when a client gets HTTP 200.

    It tries again before TCP would: that sends what was lost on its way after a second only.
    """
    argv = ["curl", "-s", "-o", "/dev/null", "-m", "0.2", "-w", "%{http_code}", url]
    until(
        lambda: lab.node(client).probe(argv).out,
        "200".__eq__,
        within=VIP_WITHIN,
        what=f"HTTP 200 from {url} at {client}",
    )


def seconds(argv: Sequence[str], timeout: float = 60) -> float:
    """How long a command takes."""
    began = time.monotonic()
    shell.run(argv, timeout=timeout)
    return time.monotonic() - began
