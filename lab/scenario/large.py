"""A large answer of the web service: it arrives whole only where the path takes its packets."""

from __future__ import annotations

from lab.scenario import web
from lab.scenario.bounds import DATAPATH
from lab.scenario.stage import Stage

SIZE = 200_000
URL = f"{web.URL}large"


def offer(stage: Stage) -> None:
    """Put the large page into the service's pod."""
    in_pod(stage, f"sh -c 'head -c {SIZE} /dev/zero > /usr/share/nginx/html/large'")


def arrives(stage: Stage, times: int) -> None:
    """One download after the other is complete, each on a connection of its own."""
    stage.becomes(
        f"{times} downloads are complete",
        lambda: downloaded(stage, times),
        [str(SIZE)] * times,
        within=DATAPATH,
    )


def downloaded(stage: Stage, times: int) -> list[str]:
    """Bytes that arrived, of one download after the other."""
    line = "curl -s -m 10 -H 'Connection: close' -o /dev/null -w '%{size_download}\\n'"
    return stage.probe(web.CLIENT, f"{line} '{URL}?[1-{times}]'", timeout=90).out.split()


def in_pod(stage: Stage, line: str) -> str:
    """What a command in the service's only pod prints; it is shown."""
    (pod,) = web.pods(stage)
    return stage.show(stage.control, f"kubectl exec {pod.name} -- {line}").out


def clients_leg(stage: Stage) -> str:
    """The router's interface towards the clients."""
    client = stage.plan.node(web.CLIENT).address
    legs = stage.plan.node(web.ROUTER).interfaces
    return next(leg.name for leg in legs if client in leg.address.network)
