"""`api_timing WHAT NUMBER`, on the node with the kubeconfig: prints seconds.

    address N     median of N: a Service applied, until a watch shows its address
    fill N        N ConfigMaps made, `LONG` for a long list
    list N        median of N: the list of all ConfigMaps, every byte of it read

Plain HTTP over one connection that is open before the clock starts: kubectl takes longer to start
than the server takes to answer.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import statistics
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab.bench.workload import load_balancer

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
LONG = 10_000
"""Objects of a long list."""
APPLY = "application/apply-patch+yaml"
TIMEOUT = 60.0
"""Seconds for one answer."""


class Server:
    """One connection to the API server that a kubeconfig names."""

    def __init__(self, kubeconfig: dict[str, Any]) -> None:
        cluster = kubeconfig["clusters"][0]["cluster"]
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        place = urlsplit(cluster["server"]).netloc
        token = kubeconfig["users"][0]["user"]["token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPSConnection(place, context=context, timeout=TIMEOUT)

    def ask(
        self, method: str, path: str, value: object = None, kind: str = "application/json"
    ) -> http.client.HTTPResponse:
        """The answer, not yet read; it has to be before the next question."""
        body = None if value is None else json.dumps(value)
        headers = {**self._headers, "Content-Type": kind}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.read().decode()}")
        return answer

    def close(self) -> None:
        self._connection.close()


def address(to_apply: Server, to_watch: Server, name: str) -> float:
    """The watch stands before the service is applied, so no look comes late."""
    watch = to_watch.ask("GET", f"{SERVICES}?watch=1&fieldSelector=metadata.name%3D{name}")
    began = time.monotonic()
    path = f"{SERVICES}/{name}?fieldManager=bench&force=true"
    to_apply.ask("PATCH", path, load_balancer(name, [("TCP", 80)]), APPLY).read()
    while not has_address(json.loads(watch.readline())["object"]):
        pass
    passed = time.monotonic() - began
    to_watch.close()  # a watch has no end of its own
    return passed


def has_address(service: dict[str, Any]) -> bool:
    """Whether `kubectl get service` shows an EXTERNAL-IP."""
    return bool(service.get("status", {}).get("loadBalancer", {}).get("ingress"))


def fill(server: Server, number: int) -> float:
    began = time.monotonic()
    for one in range(number):
        value = b64encode(one.to_bytes(96, "big")).decode()
        metadata = {"name": f"bench-{one}", "namespace": "default", "labels": {"app": "bench"}}
        item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        server.ask("POST", CONFIG_MAPS, {**item, "data": {"value": value}}).read()
    return time.monotonic() - began


def list_all(server: Server) -> float:
    """Seconds; a list that is too short is no measurement."""
    began = time.monotonic()
    text = server.ask("GET", CONFIG_MAPS).read()
    passed = time.monotonic() - began
    if (number := len(json.loads(text)["items"])) < LONG:
        raise SystemExit(f"the list has {number} objects, {LONG} were wanted")
    return passed


def main(what: str, number: int) -> None:
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    server = Server(config)
    server.ask("GET", "/version").read()
    if what == "fill":
        taken = fill(server, number)
    elif what == "list":
        taken = statistics.median(list_all(server) for _ in range(number))
    else:
        names = [f"address-{one}" for one in range(number)]
        taken = statistics.median(address(server, Server(config), name) for name in names)
    sys.stdout.write(f"{taken:.4f}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
