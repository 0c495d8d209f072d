"""The address answers on its port and nowhere else: ping, and ports that no service lists."""

from __future__ import annotations

from lab.scenario import observe
from lab.scenario.bounds import ANNOUNCEMENT
from lab.scenario.reading import ping
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import one_of, something

VIP = "172.16.10.0"

scenario = Scenario(
    "A service address is not a host: no ping, no other port", manifests=("web1.yaml",)
)


@scenario.step("The listed port answers")
def listed(stage: Stage) -> None:
    """Port 80 is in the load balancer's map."""
    stage.becomes(
        "client1 is answered 200",
        lambda: observe.fetch(stage, "client1", f"http://{VIP}/").status,
        200,
        within=ANNOUNCEMENT,
    )
    stage.show("client1", f"curl -s -I http://{VIP}/")


@scenario.step("ping does not")
def pinged(stage: Stage) -> None:
    """ICMP has no port, so no entry of the map can match it, and the address is on no interface
    that could answer. The requests are not lost on the way: a node receives them."""
    with stage.capture_all(f"icmp[icmptype] == icmp-echo and dst host {VIP}") as captures:
        told = ping.parse(stage.show("client1", f"ping -c 3 -i 0.2 -W 1 {VIP}").out)
    reached = [capture for capture in captures if capture.packets()]
    for capture in reached:
        stage.show_capture(capture, first=2)
    stage.holds("a node received the requests", [c.node for c in reached], something())
    stage.holds("three requests were sent", told.sent, 3)
    stage.holds("no reply came", told.received, 0)


@scenario.step("Nor does a port that no service lists")
def unlisted(stage: Stage) -> None:
    """The same holds for TCP. Port 81 is not in the map: no connection, and no refusal by a
    reset either, which only the owner of the address could send. curl ends at once only because
    the packet runs in a circle between node and router until one of them reports its end."""
    with stage.capture_all(f"tcp dst port 81 and dst host {VIP}") as captures:
        tried = stage.show("client1", f"curl -s -S -m 2 http://{VIP}:81/")
    reached = [capture for capture in captures if capture.packets()]
    for capture in reached[:1]:
        stage.show_capture(capture, first=2)
    stage.holds("curl gets no connection", tried.code, one_of(7, 28))
    stage.holds("a node received its SYN", [c.node for c in reached], something())


@scenario.step("And the listed port still answers")
def unharmed(stage: Stage) -> None:
    """Nothing was blocked and no state was left behind."""
    answer = observe.fetch(stage, "client1", f"http://{VIP}/")
    stage.holds("client1 is answered 200", answer.status, 200)
