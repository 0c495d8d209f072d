"""A flow as the relay sends it, for tests of what the command does with it."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from lab.hubble.api import flow_pb2, observer_pb2


def flow(**changes: object) -> observer_pb2.GetFlowsResponse:
    value = {
        "time": "2021-10-31T15:43:41.382999Z",
        "verdict": "FORWARDED",
        "IP": {"source": "10.0.3.103", "destination": "10.0.3.150", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 48278, "destination_port": 80}},
        "source": {"identity": 1},
        "destination": {"identity": 35812, "namespace": "default", "pod_name": "web1-x"},
        "node_name": "k8s-worker3",
        "event_type": {"type": 4},
        "is_reply": False,
        "Summary": "TCP Flags: SYN",
    }
    value.update(changes)
    filled = {key: each for key, each in value.items() if each is not None}
    return observer_pb2.GetFlowsResponse(flow=ParseDict(filled, flow_pb2.Flow()))
