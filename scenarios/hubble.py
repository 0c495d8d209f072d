"""Hubble from the management node: asking, filtering, keeping, and a node that does not answer."""

from __future__ import annotations

import json
from typing import Any

from lab.faults.nodes import node_crash
from lab.scenario import web
from lab.scenario.bounds import AGENT_START, FLOW_EVENTS, Bound
from lab.scenario.reading.flows import Flow, parse
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, containing

PORT = 40100
OURS = f"hubble observe --port {PORT} --last 100"
SAVED = "/tmp/flows.json"
RELAY = Bound("the relay notices that a node came or went", 20)

scenario = Scenario("The flow log, its filters and its gaps", manifests=(web.MANIFEST,))


@scenario.step("One relay for all nodes")
def relay(stage: Stage) -> None:
    """Every node keeps its newest 4,095 flows and serves them itself. The relay, a pod in
    kube-system, asks all of them at once: `hubble` on the management node talks to it alone."""
    web.is_answered(stage)
    nodes = len(stage.plan.kube_nodes)
    _is_connected_to(stage, nodes)
    status = stage.show(stage.control, "hubble status").out
    stage.holds("it adds up their room", status, containing(f"/{4095 * nodes} ("))
    stage.show(stage.control, "hubble list nodes")


@scenario.step("What one connection looks like")
def connection(stage: Stage) -> None:
    """One curl, with a source port chosen so that it can be found again. Not each packet makes a
    line: the first of a connection does, each TCP flag not seen before, FIN and RST."""
    stage.show(web.CLIENT, f"curl -s -o /dev/null --local-port {PORT} {web.URL}")
    stage.becomes(
        "its last packet is in the log",
        lambda: [f.tcp_flags for f in _flows(stage, OURS)].count("ACK, FIN"),
        at_least(1),
        within=FLOW_EVENTS,
    )
    seen = parse(stage.show(stage.control, f"{OURS} --print-node-name").out)
    stage.holds("nothing of it was dropped", {flow.verdict for flow in seen}, {"FORWARDED"})


@scenario.step("Filters: several flags, several values, and --not")
def filters(stage: Stage) -> None:
    """Values of one flag are alternatives, different flags are conditions, and `--not` turns the
    flag after it around. The relay hands the filters on: each node searches its own ring."""
    everything = _flows(stage, OURS)
    syn = _shown(stage, f"{OURS} --tcp-flags SYN")
    stage.holds("a flag narrows", syn, [flow for flow in everything if "SYN" in flow.tcp_flags])
    either = _shown(stage, f"{OURS} --tcp-flags SYN --tcp-flags FIN")
    fin = [flow for flow in everything if "FIN" in flow.tcp_flags]
    stage.holds("two values widen", len(either), len(syn) + len(fin))
    neither = f"{OURS} --not --tcp-flags SYN --not --tcp-flags FIN"
    rest = [flow for flow in everything if flow not in either]
    stage.holds("--not leaves the rest", _flows(stage, neither), rest)
    stage.say("What these flags become, as any client of the same protocol could send it:")
    raw = stage.show(stage.control, f"{neither} --print-raw-filters").out
    stage.holds("there is a list of what to deny", raw, containing("denylist:"))


@scenario.step("A flow is more than its line")
def fields(stage: Stage) -> None:
    """The line is a summary. As JSON a flow tells who the two sides are for Cilium: labels, a
    number for each set of labels (the identity), the pod, what it belongs to, and which node saw
    it on which interface."""
    line = f"hubble observe --port {PORT} --tcp-flags SYN --type trace:to-endpoint -o jsonpb"
    syn = json.loads(stage.show(stage.control, line).out.splitlines()[0])
    flow: dict[str, Any] = syn["flow"]
    (pod,) = web.pods(stage)
    destination = flow["destination"]
    stage.holds("it reached the service's pod", destination["pod_name"], pod.name)
    stage.holds("which its deployment made", destination["workloads"][0]["name"], web.DEPLOYMENT)
    stage.holds("on the node that has it", syn["node_name"], pod.node)
    stage.holds("the port is still the client's", flow["l4"]["TCP"]["source_port"], PORT)


@scenario.step("Keep flows in a file, and ask the file")
def saved(stage: Stage) -> None:
    """A ring forgets. Flows written as JSON, one a line, can be read again by the same command
    with the same filters, on another machine and a year later."""
    stage.show(stage.control, f"sh -c '{OURS} -o jsonpb > {SAVED}'")
    from_file = f"hubble observe --input-file {SAVED}"
    kept = _flows(stage, from_file)
    stage.holds("it begins as the connection did", kept[0].tcp_flags, "SYN")
    fin = _shown(stage, f"{from_file} --tcp-flags FIN")
    stage.holds("filters work on it", fin, [flow for flow in kept if "FIN" in flow.tcp_flags])


@scenario.step("Packets instead of lines")
def recorded(stage: Stage) -> None:
    """The events carry the beginning of each packet. `hubble record` has a node write those that
    match into a pcap file, here the next one of the kubelet's probes to the pod. On a node the
    command asks that node; on the management node it would have asked all of them."""
    (pod,) = web.pods(stage)
    line = f"hubble record --packet-limit 1 --time-limit 30s '0.0.0.0/0 0 {pod.address}/32 80 TCP'"
    told = stage.show(pod.node, line, timeout=60).out
    stage.holds("it says what it wrote", told, containing("Result: 1 packets"))
    printed = stage.show(pod.node, f"tcpdump -nr {told.split()[-1]}").out
    stage.holds("tcpdump reads a packet to the pod", printed, containing(f" > {pod.address}.80: "))


@scenario.step("A node that does not answer is named")
def gone(stage: Stage) -> None:
    """Nodes die, and a log that hides it lies. One node without the pod loses its power: whoever
    asks gets what the others know, and is told whose flows are missing."""
    (pod,) = web.pods(stage)
    nodes = len(stage.plan.kube_nodes)
    busy = {pod.node, stage.plan.kube_nodes[0].name, *_hubble_nodes(stage)}
    victim = next(n.name for n in reversed(stage.plan.kube_nodes) if n.name not in busy)
    with stage.fault(node_crash(victim)):
        _is_connected_to(stage, nodes - 1)
        status = stage.show(stage.control, "hubble status").out
        stage.holds("status names it", status, containing(f"  - {victim}"))
        told = stage.show(stage.control, "hubble observe --namespace default --last 1")
        stage.holds("a question is answered all the same", parse(told.out) != [], True)
        stage.holds("with a word about it", told.err, containing(f"unavailable: {victim}"))
        stage.say(f"{victim} boots.")
    stage.becomes(
        "all nodes answer again",
        lambda: _connected(stage),
        nodes,
        within=AGENT_START,
    )
    stage.show(stage.control, "hubble list nodes")


def _is_connected_to(stage: Stage, nodes: int) -> None:
    stage.becomes(
        f"the relay is connected to {nodes} nodes",
        lambda: _connected(stage),
        nodes,
        within=RELAY,
        look="`kubectl -n kube-system logs deployment/hubble-relay`",
    )


def _connected(stage: Stage) -> int:
    """Nodes that the relay is connected to; 0 while it does not answer itself."""
    asked = stage.probe(stage.control, "hubble status -o json")
    return int(json.loads(asked.out).get("num_connected_nodes", 0)) if asked.ok else 0


def _flows(stage: Stage, line: str) -> list[Flow]:
    return parse(stage.run(stage.control, line).out)


def _shown(stage: Stage, line: str) -> list[Flow]:
    return parse(stage.show(stage.control, line).out)


def _hubble_nodes(stage: Stage) -> set[str]:
    """Nodes with pods of Hubble's own."""
    listed = stage.run(stage.control, "kubectl -n kube-system get pods -o json").json()
    return {pod["spec"]["nodeName"] for pod in listed["items"]}
