"""What each built-in kind shows in its columns. A title with `+` shows with `-o wide` only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.kube import selectors
from lab.kube.kinds import Column
from lab.kube.printing.age import age

Object = dict[str, Any]
Cell = str | int | float | None
Reader = Callable[[Object], Cell]
Columns = tuple[tuple[str, Reader], ...]

CUSTOM_AGE = Column("Age", "date", ".metadata.creationTimestamp")


def of(kind: str) -> Columns:
    """The columns after the name."""
    return _COLUMNS.get(kind, _AGE_ONLY)


def _age(obj: Object) -> str:
    return age(obj["metadata"].get("creationTimestamp", ""))


def _join(parts: Any) -> str:
    return ",".join(parts) or "<none>"


def _containers(spec: Object, field: str) -> str:
    return ",".join(str(c.get(field, "")) for c in spec.get("containers", ()))


def _condition(obj: Object, kind: str) -> Object:
    conditions = obj.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == kind), {})


# Pods ----------------------------------------------------------------------------------------


def pod_status(pod: Object) -> str:
    """The STATUS column: the phase, unless a container or the deletion has more to say."""
    state = pod.get("status", {})
    reason = state.get("reason") or state.get("phase", "Unknown")
    for container in reversed(state.get("containerStatuses") or ()):
        waiting, ended = (container.get("state", {}).get(k) for k in ("waiting", "terminated"))
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif ended:
            code = (
                f"Signal:{ended['signal']}"
                if ended.get("signal")
                else f"ExitCode:{ended.get('exitCode', 0)}"
            )
            reason = ended.get("reason") or code
    if reason == "Completed" and any(
        "running" in c.get("state", {}) and c.get("ready")
        for c in state.get("containerStatuses", ())
    ):
        ready = _condition(pod, "Ready").get("status") == "True"
        reason = "Running" if ready else "NotReady"
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if state.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _pod_ready(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    total = len(pod.get("spec", {}).get("containers", ()))
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{total}"


def _pod_restarts(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    count = sum(s.get("restartCount", 0) for s in statuses)
    ends = [s.get("lastState", {}).get("terminated", {}).get("finishedAt") for s in statuses]
    last = max(filter(None, ends), default="")
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def _gates(pod: Object) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    met = sum(_condition(pod, g["conditionType"]).get("status") == "True" for g in gates)
    return f"{met}/{len(gates)}" if gates else "<none>"


# Services and endpoints ----------------------------------------------------------------------


def external_ip(service: Object) -> str:
    """The EXTERNAL-IP column."""
    spec = service["spec"]
    external = spec.get("externalIPs") or []
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", "<none>"))
    if spec["type"] != "LoadBalancer":
        return _join(external)
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    shown = [i.get("ip") or i.get("hostname", "") for i in ingress] + external
    return ",".join(shown) or "<pending>"


def _ports(service: Object) -> str:
    rows = []
    for port in service["spec"].get("ports", ()):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        rows.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return _join(rows)


def _shorten(items: list[str], limit: int = 3) -> str:
    more = f" + {len(items) - limit} more..." if len(items) > limit else ""
    return (",".join(items[:limit]) + more) or "<none>"


def _endpoints(obj: Object) -> str:
    return _shorten([
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ({"port": ""},)
        for address in subset.get("addresses") or ()
    ])  # fmt: skip


def _slice_ports(obj: Object) -> str:
    ports = obj.get("ports") or ()
    return _shorten([str(p.get("port", "*")) for p in ports]) if ports else "<unset>"


def _slice_addresses(obj: Object) -> str:
    addresses = [a for e in obj.get("endpoints") or () for a in e["addresses"]]
    return _shorten(addresses) if addresses else "<unset>"


# Nodes ---------------------------------------------------------------------------------------


def _node_status(node: Object) -> str:
    ready = _condition(node, "Ready").get("status")
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if node["spec"].get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return _join(sorted(key[len(prefix) :] for key in labels if key.startswith(prefix)))


def _address(kind: str) -> Reader:
    def read(node: Object) -> str:
        addresses = node.get("status", {}).get("addresses") or ()
        return next((a["address"] for a in addresses if a["type"] == kind), "<none>")

    return read


def _info(name: str) -> Reader:
    return lambda node: node.get("status", {}).get("nodeInfo", {}).get(name) or "<unknown>"


# Workloads -----------------------------------------------------------------------------------


def _count(name: str) -> Reader:
    return lambda obj: obj.get("status", {}).get(name, 0)


def _selector(obj: Object) -> str:
    wanted = selectors.from_object(obj["spec"].get("selector"))
    return selectors.text(wanted) if wanted else "<none>"


def _of_template(field: str) -> Reader:
    return lambda obj: _containers(obj["spec"]["template"].get("spec", {}), field)


def _event_object(event: Object) -> str:
    about = event.get("involvedObject", {})
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_seen(event: Object) -> str:
    return age(event.get("lastTimestamp") or event.get("eventTime") or "")


_AGE_ONLY: Columns = (("Age", _age),)

_COLUMNS: dict[str, Columns] = {
    "Namespace": (("Status", lambda o: o.get("status", {}).get("phase", "")), ("Age", _age)),
    "Pod": (
        ("Ready", _pod_ready),
        ("Status", pod_status),
        ("Restarts", _pod_restarts),
        ("Age", _age),
        ("+IP", lambda o: o.get("status", {}).get("podIP") or "<none>"),
        ("+Node", lambda o: o["spec"].get("nodeName") or "<none>"),
        ("+Nominated Node", lambda o: o.get("status", {}).get("nominatedNodeName") or "<none>"),
        ("+Readiness Gates", _gates),
    ),
    "Service": (
        ("Type", lambda o: o["spec"]["type"]),
        ("Cluster-IP", lambda o: o["spec"].get("clusterIP") or "<none>"),
        ("External-IP", external_ip),
        ("Port(s)", _ports),
        ("Age", _age),
        (
            "+Selector",
            lambda o: (
                selectors.text(selectors.from_labels(o["spec"].get("selector") or {})) or "<none>"
            ),
        ),
    ),
    "Endpoints": (("Endpoints", _endpoints), ("Age", _age)),
    "EndpointSlice": (
        ("AddressType", lambda o: o.get("addressType", "")),
        ("Ports", _slice_ports),
        ("Endpoints", _slice_addresses),
        ("Age", _age),
    ),
    "Node": (
        ("Status", _node_status),
        ("Roles", _roles),
        ("Age", _age),
        ("Version", _info("kubeletVersion")),
        ("+Internal-IP", _address("InternalIP")),
        ("+External-IP", _address("ExternalIP")),
        ("+OS-Image", _info("osImage")),
        ("+Kernel-Version", _info("kernelVersion")),
        ("+Container-Runtime", _info("containerRuntimeVersion")),
    ),
    "Deployment": (
        (
            "Ready",
            lambda o: (
                f"{o.get('status', {}).get('readyReplicas', 0)}/{o['spec'].get('replicas', 0)}"
            ),
        ),
        ("Up-to-date", _count("updatedReplicas")),
        ("Available", _count("availableReplicas")),
        ("Age", _age),
        ("+Containers", _of_template("name")),
        ("+Images", _of_template("image")),
        ("+Selector", _selector),
    ),
    "ReplicaSet": (
        ("Desired", lambda o: o["spec"].get("replicas", 0)),
        ("Current", _count("replicas")),
        ("Ready", _count("readyReplicas")),
        ("Age", _age),
        ("+Containers", _of_template("name")),
        ("+Images", _of_template("image")),
        ("+Selector", _selector),
    ),
    "ConfigMap": (
        ("Data", lambda o: len(o.get("data") or {}) + len(o.get("binaryData") or {})),
        ("Age", _age),
    ),
    "Secret": (
        ("Type", lambda o: o.get("type", "")),
        ("Data", lambda o: len(o.get("data") or {})),
        ("Age", _age),
    ),
    "Event": (
        ("Last Seen", _event_seen),
        ("Type", lambda o: o.get("type", "")),
        ("Reason", lambda o: o.get("reason", "")),
        ("Object", _event_object),
        ("+Subobject", lambda o: o.get("involvedObject", {}).get("fieldPath", "")),
        ("+Source", lambda o: o.get("source", {}).get("component", "")),
        ("Message", lambda o: o.get("message", "").strip()),
        ("+First Seen", lambda o: age(o.get("firstTimestamp") or "")),
        ("+Count", lambda o: o.get("count", 1)),
    ),
    "Lease": (("Holder", lambda o: o.get("spec", {}).get("holderIdentity", "")), ("Age", _age)),
    "CustomResourceDefinition": (
        ("Created At", lambda o: o["metadata"].get("creationTimestamp", "")),
    ),
}
