"""`kubectl logs` and `kubectl exec`, as the API server asks a node's agent for them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightkube.resources.core_v1 import Pod

from lab.agent.pods.container import Launch
from lab.agent.pods.sandbox import Process
from lab.agent.pods.server import KubeletServer
from lab.agent.pods.worker import PodWorker
from lab.kube.kubelet_api import (
    CLOSE,
    ERROR,
    HEADER,
    MAX_FRAME,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    frame,
)
from tests.unit.agent.agent_config import CONFIG

BOUND = 20.0
TOKEN = "sesame"
LOG = "/containerLogs/default/web/nginx"
EXEC = "/exec/default/web/nginx?stdin=true&stdout=true&stderr=true"
RUNNING = Process(pid=7, attempt=1, started=1000.0)
ENDED = Process(pid=7, attempt=1, started=1000.0, code=0, finished=1003.0)


class Connection:
    """The API server's end of a request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> str:
        """The first line of the answer, behind the version of HTTP."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return head.decode().partition(" ")[2].partition("\r\n")[0]

    async def rest(self) -> str:
        return (await self.reader.read()).decode()

    async def frames(self) -> dict[int, str]:
        """What came by each channel, to the end."""
        found: dict[int, bytes] = {}
        left = await self.reader.read()
        while left:
            channel, length = HEADER.unpack_from(left)
            payload, left = left[HEADER.size :][:length], left[HEADER.size + length :]
            found[channel] = found.get(channel, b"") + payload
        return {channel: payload.decode() for channel, payload in found.items()}


class Node:
    """An agent that runs one pod, default/web, with one container; its state is set by hand."""

    def __init__(self, directory: Path) -> None:
        pod: Any = Pod.from_dict({"metadata": {"name": "web", "namespace": "default", "uid": "u"}})
        home: Any = SimpleNamespace(directory=lambda _: directory)
        self.worker = PodWorker(pod, home)
        self.sandbox: Any = self.worker.sandbox
        self.logs = directory / "nginx"
        self.logs.mkdir()
        self.state(RUNNING)
        kubelet: Any = SimpleNamespace(worker=self._worker)
        self._server = KubeletServer(kubelet, replace(CONFIG, token=TOKEN))

    def state(self, process: Process) -> None:
        self.sandbox.processes = {"nginx": process}

    def executes(
        self, execute: Callable[[str, Launch, Sequence[int]], Coroutine[Any, Any, int]]
    ) -> None:
        """What a command in the pod does, in place of the pod's PID 1."""
        self.sandbox.execute = execute

    def tell(
        self,
        path: str,
        story: Callable[[Connection], Awaitable[None]],
        *,
        method: str = "GET",
        token: str = TOKEN,
    ) -> None:
        """Let a client ask for something, and the story be what it sees then."""
        head = f"{method} {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n"

        async def run() -> None:
            here, there = socket.socketpair()
            serving = asyncio.ensure_future(
                self._server.serve(*await asyncio.open_connection(sock=here))
            )
            client = Connection(*await asyncio.open_connection(sock=there))
            client.writer.write(head.encode())
            await story(client)
            client.writer.close()
            await serving

        asyncio.run(asyncio.wait_for(run(), BOUND))

    def answer(self, path: str, **how: Any) -> tuple[str, str]:
        """The status of an answer and its body."""
        seen: list[str] = []

        async def read(client: Connection) -> None:
            seen.extend([await client.head(), await client.rest()])

        self.tell(path, read, **how)
        return seen[0], seen[1]

    def _worker(self, namespace: str, name: str) -> PodWorker | None:
        return self.worker if (namespace, name) == ("default", "web") else None


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    here = Node(tmp_path)
    (here.logs / "1.log").write_text("one\ntwo\nthree\n")
    (here.logs / "1.times").write_text(f"4 1000.0\n8 1001.0\n14 {time.time()}\n")
    yield here


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "one\ntwo\nthree\n"),
        ("?tailLines=1", "three\n"),
        ("?tailLines=0", ""),
        ("?limitBytes=5", "one\nt"),
        ("?sinceTime=1970-01-01T00:16:41Z", "two\nthree\n"),
        ("?sinceSeconds=3600", "three\n"),
        ("?timestamps=true&limitBytes=34", "1970-01-01T00:16:40.000000000Z one"),
    ],
)
def test_the_part_of_a_log_that_is_asked_for(node: Node, query: str, told: str) -> None:
    assert node.answer(LOG + query) == ("200 OK", told)


def test_a_followed_log_grows_with_its_container_and_ends_with_it(node: Node) -> None:
    async def story(client: Connection) -> None:
        assert await client.head() == "200 OK"
        assert await client.reader.readuntil(b"three\n") == b"three\n"
        with (node.logs / "1.log").open("a") as log:
            log.write("four\n")
        assert await client.reader.readuntil(b"\n") == b"four\n"
        with (node.logs / "1.log").open("a") as log:
            log.write("its last words\n")
        node.state(ENDED)
        assert await client.rest() == "its last words\n"

    node.tell(f"{LOG}?follow=true&tailLines=1", story)


def test_a_followed_log_ends_when_its_container_starts_anew(node: Node) -> None:
    async def story(client: Connection) -> None:
        await client.reader.readuntil(b"three\n")
        node.state(Process(pid=9, attempt=2, started=1005.0))
        assert await client.rest() == ""

    node.tell(f"{LOG}?follow=true", story)


@pytest.mark.parametrize("query", ["", "?follow=true"])
def test_a_container_that_ended_has_its_log_still(node: Node, query: str) -> None:
    node.state(ENDED)
    assert node.answer(LOG + query) == ("200 OK", "one\ntwo\nthree\n")


def test_the_log_of_the_run_before(node: Node) -> None:
    refusal = 'previous terminated container "nginx" in pod web not found\n'
    assert node.answer(f"{LOG}?previous=true") == ("404 Not Found", refusal)
    (node.logs / "0.log").write_text("it crashed\n")
    assert node.answer(f"{LOG}?previous=true") == ("200 OK", "it crashed\n")


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/containerLogs/default/web/sidecar", "404", 'container "sidecar" in pod web not'),
        ("/containerLogs/default/other/nginx", "404", "default/other does not run on k8s-worker1"),
        ("/containerLogs/default/web", "404", "no such path"),
        ("/metrics/default/web/nginx", "404", "no such path"),
        (f"{LOG}?tailLines=many", "400", "tailLines=many is no number"),
        (f"{LOG}?sinceTime=yesterday", "400", "sinceTime=yesterday is no time"),
        (f"{LOG} and more", "400", "this is no HTTP request"),
    ],
)
def test_what_is_refused_is_told_why(node: Node, path: str, code: str, words: str) -> None:
    status, text = node.answer(path)
    assert status.startswith(code)
    assert words in text


def test_nobody_reads_without_the_clusters_token(node: Node) -> None:
    assert node.answer(LOG, token="guessed") == ("401 Unauthorized", "Unauthorized\n")


async def as_a_process(_: str, what: Launch, fds: Sequence[int]) -> int:
    """Runs the command here, with the streams that it is given."""
    streams = [os.dup(fd) for fd in fds]  # the session closes its own as soon as this has begun
    process = await asyncio.create_subprocess_exec(
        *what.argv, stdin=streams[0], stdout=streams[1], stderr=streams[2], env=what.env
    )
    for fd in streams:
        os.close(fd)
    return await process.wait()


def shell(script: str) -> str:
    return f"{EXEC}&command=sh&command=-c&command={script.replace(' ', '+')}"


def test_a_command_has_its_streams_and_ends_with_its_code(node: Node) -> None:
    node.executes(as_a_process)

    async def story(client: Connection) -> None:
        assert await client.head() == "101 Switching Protocols"
        client.writer.write(frame(STDIN, b"hello\n") + frame(CLOSE, bytes([STDIN])))
        seen = await client.frames()
        assert (seen[STDOUT], seen[STDERR]) == ("hello\n", "oops\n")
        status = json.loads(seen[ERROR])
        assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]

    node.tell(shell("cat; echo oops >%262; exit 3").replace(";", "%3B"), story, method="POST")


def test_a_terminal_has_the_size_of_the_clients(node: Node) -> None:
    node.executes(as_a_process)

    async def story(client: Connection) -> None:
        assert await client.head() == "101 Switching Protocols"
        size = json.dumps({"Width": 132, "Height": 43}).encode()
        client.writer.write(frame(RESIZE, size) + frame(STDIN, b"\n"))
        seen = await client.frames()
        assert "43 132\r\n" in seen[STDOUT]
        assert json.loads(seen[ERROR])["status"] == "Success"

    node.tell(shell("read go; stty size").replace(";", "%3B") + "&tty=true", story, method="POST")


@pytest.mark.parametrize("farewell", [b"", HEADER.pack(STDIN, MAX_FRAME + 1)])
def test_a_command_ends_with_its_client(node: Node, farewell: bytes) -> None:
    """One that goes away, or sends a frame longer than there is."""
    begun, killed = asyncio.Event(), []

    async def execute(*_: Any) -> int:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            killed.append(True)
            raise
        return 0

    node.executes(execute)

    async def story(client: Connection) -> None:
        assert await client.head() == "101 Switching Protocols"
        await begun.wait()
        client.writer.write(farewell)
        if not farewell:
            client.writer.write_eof()
        assert ERROR not in await client.frames()

    node.tell(shell("sleep infinity"), story, method="POST")
    assert killed


def test_there_is_nothing_to_execute_in_a_container_that_ended(node: Node) -> None:
    node.state(ENDED)
    refused = node.answer(shell("true"), method="POST")
    assert refused == ("400 Bad Request", 'container "nginx" of pod web does not run\n')


def test_a_command_has_words(node: Node) -> None:
    assert node.answer(EXEC, method="POST") == ("400 Bad Request", "no command\n")
