"""The kubelet's HTTP: logs and exec for the API server (contract: lab.kube.kubelet_api)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from lab.agent.config import AgentConfig
from lab.agent.pods.exec import ExecRequest, ExecSession
from lab.agent.pods.kubelet import Kubelet
from lab.agent.pods.logs import LogRequest, log_file, read
from lab.agent.pods.worker import PodWorker
from lab.errors import LabError
from lab.kube.kubelet_api import PORT, UPGRADE
from lab.kube.names import parse_time

log = logging.getLogger(__name__)

HEAD_BOUND = 5.0
HEAD_SIZE = 64 * 1024
"""Seconds and bytes that a request's header may take."""


class Refused(Exception):
    """A request that gets an answer other than 200 or 101."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Request:
    """The head of a request, as far as it matters here."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, list[str]]
    token: str

    def flag(self, name: str) -> bool:
        return self.query.get(name, ["false"])[0].lower() in ("true", "1", "t")

    def number(self, name: str) -> int | None:
        text = self.query.get(name, [""])[0]
        if not text:
            return None
        if not text.isdigit():
            raise Refused(400, f"{name}={text} is no number")
        return int(text)

    def since(self) -> float:
        """Unix seconds, from either way to say it; 0 for the beginning."""
        seconds, moment = self.number("sinceSeconds"), self.query.get("sinceTime", [""])[0]
        if seconds is not None:
            return time.time() - seconds
        try:
            return parse_time(moment).timestamp() if moment else 0.0
        except ValueError as exc:
            raise Refused(400, f"sinceTime={moment} is no time") from exc


class KubeletServer:
    """Listens on the node's address."""

    def __init__(self, kubelet: Kubelet, config: AgentConfig) -> None:
        self._kubelet = kubelet
        self._config = config

    async def start(self) -> None:
        await asyncio.start_server(
            self.serve, str(self._config.node_ip), PORT, limit=HEAD_SIZE, reuse_address=True
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection, and end it."""
        try:
            request = await asyncio.wait_for(_read_head(reader), HEAD_BOUND)
            if not hmac.compare_digest(request.token, self._config.token):
                raise Refused(401, "Unauthorized")
            await self._answer(request, reader, writer)
        except Refused as refused:
            writer.write(_head(refused.code, "text/plain") + f"{refused}\n".encode())
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError) as error:
            log.debug("kubelet: %s", error)
        except LabError as error:
            log.warning("kubelet: %s", error)
        finally:
            writer.close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(request.path) != 4:
            raise Refused(404, "no such path")
        verb, namespace, name, container = request.path
        worker = self._kubelet.worker(namespace, name)
        if worker is None:
            raise Refused(404, f"pod {namespace}/{name} does not run on {self._config.node}")
        if (request.method, verb) == ("GET", "containerLogs"):
            await self._logs(request, worker, container, writer)
        elif (request.method, verb) == ("POST", "exec"):
            await self._exec(request, worker, container, reader, writer)
        else:
            raise Refused(404, "no such path")

    async def _logs(
        self, request: Request, worker: PodWorker, container: str, writer: asyncio.StreamWriter
    ) -> None:
        process = worker.sandbox.processes.get(container)
        previous = request.flag("previous")
        attempt = process.attempt if process else 0
        file = log_file(worker.directory / container, attempt, previous=previous)
        if process is None or not file.exists():
            which = "previous terminated container" if previous else "container"
            raise Refused(404, f'{which} "{container}" in pod {worker.name} not found')
        wanted = LogRequest(
            follow=request.flag("follow"),
            tail=request.number("tailLines"),
            limit=request.number("limitBytes"),
            since=request.since(),
            timestamps=request.flag("timestamps"),
        )

        def running() -> bool:
            now = worker.sandbox.processes.get(container)
            return now is not None and now.attempt == attempt and now.code is None

        writer.write(_head(200, "text/plain"))
        async for data in read(file, wanted, running):
            writer.write(data)
            await writer.drain()

    async def _exec(
        self,
        request: Request,
        worker: PodWorker,
        container: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        process = worker.sandbox.processes.get(container)
        if process is None or process.code is not None:
            raise Refused(400, f'container "{container}" of pod {worker.name} does not run')
        command = request.query.get("command", [])
        if not command:
            raise Refused(400, "no command")
        wanted = ExecRequest(
            stdin=request.flag("stdin"),
            stdout=request.flag("stdout"),
            stderr=request.flag("stderr"),
            tty=request.flag("tty"),
        )
        switch = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {UPGRADE}"
        writer.write(switch.encode() + b"\r\n\r\n")
        launch = worker.command(container, command, tty=wanted.tty)
        await ExecSession(wanted, reader, writer).run(worker.sandbox, container, launch)


async def _read_head(reader: asyncio.StreamReader) -> Request:
    raw = await reader.readuntil(b"\r\n\r\n")
    line, *fields = raw.decode("latin-1").split("\r\n")
    words = line.split()
    if len(words) != 3:
        raise Refused(400, "this is no HTTP request")
    url = urlsplit(words[1])
    headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    return Request(
        method=words[0],
        path=tuple(unquote(part) for part in url.path.strip("/").split("/")),
        query=parse_qs(url.query),
        token=headers.get("authorization", "").removeprefix("Bearer "),
    )


def _head(code: int, kind: str) -> bytes:
    reasons = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
    return (
        f"HTTP/1.1 {code} {reasons[code]}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    ).encode()
