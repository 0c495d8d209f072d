"""A lab that is its network alone: nodes, links and FRR, no Kubernetes on it.

    python -m tests.system.wires NAME

reads a plan as a line of JSON, says `up`, and keeps the lab until its standard input ends.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from lab.emulation.build import build
from lab.errors import FrrError, LabError
from lab.frr import daemons
from lab.frr.model import BgpConfig
from lab.frr.speaker import Speaker
from lab.repository import REPOSITORY
from lab.sandbox import faults, supervisor
from lab.sandbox.control import Handler
from lab.sandbox.handle import Lab
from lab.sandbox.launch import launch
from lab.sandbox.phases import Phase
from lab.sandbox.site import Site
from lab.sandbox.syscalls import Namespace, enter
from lab.topology.plan import Plan
from lab.wait import until

MODULE = "tests.system.wires"
SETTLED_WITHIN = 15.0
"""Seconds that FRR may take to forget what it announced; a bound for loaded machines."""

ONLY_WIRES: dict[str, Any] = {
    "PHASES": f"{MODULE}:phases",
    "HANDLERS": f"{MODULE}:handlers",
    "CODE": "lab.errors",
}
"""What the supervisor loads in place of a whole bring-up."""


def phases(site: Site) -> Sequence[Phase]:
    def network() -> None:
        site.network = build(site.plan, site.run.path, lambda _: None)

    def routing() -> None:
        daemons.start(site.plan, site.network, site.run.path)

    return Phase("network", network), Phase("routing", routing, after=("network",))


def handlers(site: Site) -> Mapping[str, Handler]:
    """What the tests ask the supervisor to do to its network, beside a whole lab's faults."""

    def crash(request: Mapping[str, Any]) -> Mapping[str, Any]:
        site.network.crash(request["node"])
        site.save()
        return {}

    def boot(request: Mapping[str, Any]) -> Mapping[str, Any]:
        site.network.boot(request["node"])
        daemons.start(site.plan, site.network, site.run.path, [request["node"]])
        site.save()
        return {}

    def link(request: Mapping[str, Any]) -> Mapping[str, Any]:
        site.network.set_link(request["node"], request["interface"], up=request["up"])
        return {}

    def speak(request: Mapping[str, Any]) -> Mapping[str, Any]:
        config = pickle.loads(base64.b64decode(request["config"]))
        return _speak_inside(site.network[request["node"]], config)

    own: dict[str, Handler] = {"crash": crash, "boot": boot, "link": link, "speak": speak}
    return {**faults.handlers(site), **own}


@contextmanager
def running(plan: Plan, name: str) -> Iterator[Lab]:
    """The lab of a plan for the length of a `with` block.

    A process of its own starts it: a lab is forked, and a worker of pytest may have threads by
    then (gRPC's crash in the child).
    """
    name = f"{name}-{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as starter:
        assert starter.stdin and starter.stdout
        with starter.stdin:
            starter.stdin.write(json.dumps(plan.to_json()) + "\n")
            starter.stdin.flush()
            assert starter.stdout.readline() == "up\n", f"lab {name} did not come up"
            yield Lab.find(name)


def keep(name: str) -> None:
    """Run the lab of the plan on standard input until that ends."""
    plan = Plan.from_json(json.loads(sys.stdin.readline()))
    with patch.multiple(supervisor, **ONLY_WIRES), launch(plan, name) as started:
        started.follow(lambda _: None)
        sys.stdout.write("up\n")
        sys.stdout.flush()
        sys.stdin.read()


def apply(lab: Lab, node: str, config: BgpConfig) -> list[str]:
    """Do an agent's work: make a node's FRR speak; returns the commands that it took."""
    pickled = base64.b64encode(pickle.dumps(config)).decode()
    commands: list[str] = lab.ask("speak", node=node, config=pickled)["commands"]
    return commands


def nothing_is_held_back(lab: Lab, node: str, wanted: BgpConfig) -> None:
    """What bgpd has forgotten is no longer kept from its neighbors."""
    until(
        lambda: apply(lab, node, wanted),
        lambda commands: not commands and " deny " not in running_lists(lab, node),
        within=SETTLED_WITHIN,
        what=f"the prefix lists of {node}",
        wanted="nothing denied",
    )


def running_lists(lab: Lab, node: str) -> str:
    lines = lab.vtysh(node, "show running-config").out.splitlines()
    return "\n".join(line for line in lines if "prefix-list leaving" in line)


def _speak_inside(holder: int, config: BgpConfig) -> dict[str, Any]:
    """Apply a configuration in a fork that stands in the node, where the daemons' sockets are."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, json.dumps(_spoken(holder, config)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        answer: dict[str, Any] = json.load(told)
    os.waitpid(child, 0)
    if "problem" in answer:
        raise FrrError(answer["problem"])
    return answer


def _spoken(holder: int, config: BgpConfig) -> dict[str, Any]:
    try:
        enter(holder, Namespace.MOUNT)
        return {"commands": Speaker().apply(config)}
    except LabError as error:
        return {"problem": str(error)}


if __name__ == "__main__":
    keep(sys.argv[1])
