"""Single cells of `kubectl get`, in the words that Kubernetes prints. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.kube import selectors
from lab.kube.printing.age import age

Object = dict[str, Any]
Cell = str | int | float | None
Reader = Callable[[Object], Cell]


def at(path: str, missing: Cell = "") -> Reader:
    """Reads the value at a path of names."""
    steps = path.split(".")

    def read(obj: Any) -> Cell:
        for step in steps:
            obj = obj.get(step) if isinstance(obj, Mapping) else None
        return missing if obj in (None, "") else obj

    return read


def since(path: str) -> Reader:
    """The age of the timestamp at a path."""
    read = at(path)
    return lambda obj: age(str(read(obj)))


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
            signal, code = ended.get("signal"), f"ExitCode:{ended.get('exitCode', 0)}"
            reason = ended.get("reason") or (f"Signal:{signal}" if signal else code)
    if reason == "Completed" and any(
        "running" in c.get("state", {}) and c.get("ready")
        for c in state.get("containerStatuses", ())
    ):
        ready = _condition(pod, "Ready").get("status") == "True"
        reason = "Running" if ready else "NotReady"
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if state.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def pod_ready(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    total = len(pod.get("spec", {}).get("containers", ()))
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{total}"


def pod_restarts(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    count = sum(s.get("restartCount", 0) for s in statuses)
    ends = [s.get("lastState", {}).get("terminated", {}).get("finishedAt") for s in statuses]
    last = max(filter(None, ends), default="")
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def gates(pod: Object) -> str:
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
        return ",".join(external) or "<none>"
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    shown = [i.get("ip") or i.get("hostname", "") for i in ingress] + external
    return ",".join(shown) or "<pending>"


def ports(service: Object) -> str:
    rows = []
    for port in service["spec"].get("ports", ()):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        rows.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(rows) or "<none>"


def _shorten(items: list[str], limit: int = 3) -> str:
    more = f" + {len(items) - limit} more..." if len(items) > limit else ""
    return (",".join(items[:limit]) + more) or "<none>"


def endpoints(obj: Object) -> str:
    return _shorten([
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ({"port": ""},)
        for address in subset.get("addresses") or ()
    ])  # fmt: skip


def slice_ports(obj: Object) -> str:
    ports = obj.get("ports") or ()
    return _shorten([str(p.get("port", "*")) for p in ports]) if ports else "<unset>"


def slice_addresses(obj: Object) -> str:
    addresses = [a for e in obj.get("endpoints") or () for a in e["addresses"]]
    return _shorten(addresses) if addresses else "<unset>"


# Nodes ---------------------------------------------------------------------------------------


def node_status(node: Object) -> str:
    ready = _condition(node, "Ready").get("status")
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if node["spec"].get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = sorted(key[len(prefix) :] for key in labels if key.startswith(prefix))
    return ",".join(roles) or "<none>"


def address(kind: str) -> Reader:
    def read(node: Object) -> str:
        addresses = node.get("status", {}).get("addresses") or ()
        return next((a["address"] for a in addresses if a["type"] == kind), "<none>")

    return read


def info(name: str) -> Reader:
    return at(f"status.nodeInfo.{name}", "<unknown>")


# Workloads -----------------------------------------------------------------------------------


def ready_of_wanted(obj: Object) -> str:
    return f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"


def selector(obj: Object) -> str:
    given = obj["spec"].get("selector") or {}
    plain = obj["kind"] == "Service"
    wanted = selectors.from_labels(given) if plain else selectors.from_object(given)
    return selectors.text(wanted or ()) or "<none>"


def of_template(field: str) -> Reader:
    def read(obj: Object) -> str:
        containers = obj["spec"].get("template", {}).get("spec", {}).get("containers", ())
        return ",".join(str(c.get(field, "")) for c in containers)

    return read


def data(obj: Object) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


def event_object(event: Object) -> str:
    about = event.get("involvedObject", {})
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_seen(event: Object) -> str:
    return age(event.get("lastTimestamp") or event.get("eventTime") or "")
