"""When a cluster is up: the API server answers and every Node is Ready."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from lab.errors import LabError
from lab.kube.credentials import Credentials
from lab.sandbox.syscalls import Namespace, enter
from lab.topology.plan import Cluster
from lab.wait import until

T = TypeVar("T")

READY_WITHIN = 90.0
"""Seconds; a bound, not an expectation."""

ATTEMPT = 5.0
"""Seconds for one request."""


class ApiReader:
    """Reads the API server from the network namespace of one process, over one connection.

    A look that had to agree on new keys would take as much of the processor as a node's start.
    """

    def __init__(self, cluster: Cluster, secrets: Credentials, holder: int) -> None:
        self._host, self._port = str(cluster.api_address), cluster.api_port
        self._tls = ssl.create_default_context(cafile=str(secrets.ca_file))
        self._token = secrets.token
        self._holder = holder
        self._connection: http.client.HTTPSConnection | None = None

    def nodes(self) -> dict[str, bool]:
        """Nodes by name, and whether they are Ready; empty while the server does not answer."""
        try:
            if self._connection is None:
                self._connection = in_network_of(self._holder, self._connect)
            return ready_nodes(self._get(self._connection, "/api/v1/nodes"))
        except (OSError, http.client.HTTPException):  # not up yet, or just ended: waited for
            self._connection = None
            return {}

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=ATTEMPT, context=self._tls
        )
        connection.connect()
        connection.auto_open = False  # It would be from the caller's namespace.
        return connection

    def _get(self, connection: http.client.HTTPSConnection, path: str) -> Any:
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise LabError(f"GET {path}: the API server answered {answer.status}: {body[:200]!r}")
        return json.loads(body)


def ready_nodes(listed: Any) -> dict[str, bool]:
    """Read a NodeList: name -> whether its condition Ready is True."""
    return {
        item["metadata"]["name"]: any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in item.get("status", {}).get("conditions") or []
        )
        for item in listed["items"]
    }


def wait_ready(reader: ApiReader, names: Iterable[str], require_hope: Callable[[], None]) -> None:
    """Return when every one of the nodes is Ready; WaitTimeout tells which are not.

    `require_hope` is called before every look, and raises when waiting is in vain.
    """
    wanted = set(names)

    def missing() -> list[str]:
        require_hope()
        return sorted(wanted - {name for name, ready in reader.nodes().items() if ready})

    until(
        missing,
        lambda names: not names,
        within=READY_WITHIN,
        what="nodes that are not Ready",
        wanted="none",
    )


def in_network_of(holder: int, work: Callable[[], T]) -> T:
    """Run a function in a thread that stands in another process's network namespace.

    setns(2) moves one thread; sockets keep the namespace that they were opened in.
    """
    results: list[T] = []
    errors: list[OSError | LabError] = []

    def there() -> None:
        try:
            enter(holder, Namespace.NET)
            results.append(work())
        except (OSError, LabError) as error:
            errors.append(error)

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
