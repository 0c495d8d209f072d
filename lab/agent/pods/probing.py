"""Asking a container whether it started, lives, and is ready: one look at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lightkube.models.core_v1 import Container, HTTPGetAction, Probe

USER_AGENT = "kube-probe/1.32"
MAX_ANSWER = 10 * 1024
"""Bytes of an answer that are read."""

Exec = Callable[[list[str]], Awaitable[int]]
"""Runs a command in the container; its exit code."""


@dataclass(frozen=True)
class Asker:
    """From where to where probes go."""

    source: str
    """The node's own address in its pod network: what the pod sees as the client."""
    target: str
    """The pod's address."""
    execute: Exec


async def look(
    probe: Probe, container: Container, asker: Asker, *, within: float | None = None
) -> str:
    """Why the probe fails, or nothing when it succeeds. `within`: seconds, in place of its own."""
    bound = (probe.timeoutSeconds or 1) if within is None else within
    try:
        return await asyncio.wait_for(_look(probe, container, asker), bound)
    except asyncio.TimeoutError:
        return "no answer in time"
    except (OSError, EOFError, ValueError) as error:
        return str(error)


async def _look(probe: Probe, container: Container, asker: Asker) -> str:
    if probe.httpGet is not None:
        return await _http(probe.httpGet, container, asker)
    if probe.tcpSocket is not None:
        host = probe.tcpSocket.host or asker.target
        port = number(probe.tcpSocket.port, container)
        _, writer = await asyncio.open_connection(host, port, local_addr=(asker.source, 0))
        writer.close()
        return ""
    if probe.exec is not None:
        code = await asker.execute(list(probe.exec.command or ()))
        return f"command ended with code {code}" if code else ""
    return "the probe names no action that the lab knows: httpGet, tcpSocket, exec"


async def _http(action: HTTPGetAction, container: Container, asker: Asker) -> str:
    host, port = action.host or asker.target, number(action.port, container)
    secure = _unverified() if (action.scheme or "HTTP").upper() == "HTTPS" else None
    reader, writer = await asyncio.open_connection(
        host, port, local_addr=(asker.source, 0), ssl=secure
    )
    try:
        writer.write(_request(action, f"{host}:{port}"))
        status = (await reader.readline()).decode("latin-1").split(maxsplit=2)
        await reader.readexactly(min(await _length(reader), MAX_ANSWER))
    finally:
        # The kubelet has its answer and closes first: its FIN is the one that flow logs show.
        writer.close()
    if len(status) < 2 or not status[1].isdigit():
        return "the answer is no HTTP"
    code = int(status[1])
    return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"


async def _length(reader: asyncio.StreamReader) -> int:
    """Read the header; the length of the body it announces, 0 when it says none."""
    length = 0
    while line := (await reader.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    return length


def _request(action: HTTPGetAction, host: str) -> bytes:
    headers = {"Host": host, "User-Agent": USER_AGENT, "Accept": "*/*"}
    headers |= {header.name: header.value for header in action.httpHeaders or ()}
    lines = [f"GET {action.path or '/'} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _unverified() -> ssl.SSLContext:
    """Probes ask for life, not for identity: the kubelet does not verify either."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def number(port: int | str, container: Container) -> int:
    """A port by number or by its name in the container; ValueError for an unknown name."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for named in container.ports or ():
        if named.name == port:
            return named.containerPort
    raise ValueError(f"the container has no port named {port!r}")
