"""What the API server and the node agents agree on beside the Kubernetes API itself.

The agent of a node plays the kubelet. Towards the API server it is an ordinary client:

* It keeps the Lease `kube-node-lease/<node>` fresh (spec.holderIdentity, spec.renewTime, a
  MicroTime) every LEASE_PERIOD seconds, and patches its Node's status: the condition `Ready`
  and status.nodeInfo. A Lease older than LEASE_GRACE turns the node NotReady.
* It watches pods with the field selector `spec.nodeName=<node>` and patches `pods/NAME/status`:
  phase, conditions (PodScheduled is ours; Initialized, ContainersReady, Ready are its own),
  hostIP, hostIPs, podIP, podIPs, startTime, containerStatuses (state, lastState, ready, started,
  restartCount, image, imageID, containerID).
* A pod with metadata.deletionTimestamp is to be stopped within
  metadata.deletionGracePeriodSeconds; when its processes are gone the agent DELETEs it with
  gracePeriodSeconds=0 and the precondition of its uid. Until then it keeps patching its status
  (Ready=False as soon as termination starts).

Towards the API server's `logs` and `exec` it is a small HTTP server on its node's address, port
PORT, that asks for the cluster's token (`Authorization: Bearer ...`). Every request is HTTP/1.0
in spirit: one a connection, an answer's body ends where the connection ends.

    GET  /containerLogs/NAMESPACE/POD/CONTAINER?follow=&previous=&timestamps=&tailLines=
                                               &sinceSeconds=&sinceTime=&limitBytes=
         200 text/plain, the bytes of the log; 404 with a line of text for an unknown one.
    POST /exec/NAMESPACE/POD/CONTAINER?command=A&command=B&stdin=&stdout=&stderr=&tty=
         Connection: Upgrade, Upgrade: UPGRADE
         101 and then frames in both directions; another code with a line of text on refusal.

A frame is one byte channel, four bytes length in network order, and the payload. Channels are
those of Kubernetes' `v5.channel.k8s.io`, so the API server passes them on untouched.
"""

from __future__ import annotations

import struct
from typing import Any

PORT = 10250
UPGRADE = "channels"

LEASE_PERIOD = 2.0
LEASE_GRACE = 40.0
"""Seconds, as Kubernetes waits. A node's agent is its kubelet here: while one is started anew on a
busy machine, no pod of its node may lose its place in a service."""

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
"""ERROR carries one Status object when the command has ended; RESIZE `{"Width", "Height"}`."""
CLOSE = 255
"""Its payload is one byte: the channel (STDIN) that gets no more data."""

HEADER = struct.Struct("!BI")
MAX_FRAME = 1 << 20
"""Bytes of payload; a longer frame is a protocol error and ends the connection."""


def frame(channel: int, payload: bytes) -> bytes:
    """One message of a channel, as it goes over the connection."""
    return HEADER.pack(channel, len(payload)) + payload


def exit_status(code: int) -> dict[str, Any]:
    """The Status that ends an exec: Success, or Failure with the exit code as kubectl reads it."""
    if code == 0:
        return {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success"}
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
