"""Probes against servers on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from lightkube.models.core_v1 import Container, Probe

from lab.agent.bell import Bell
from lab.agent.pods.prober import Health, Prober
from lab.agent.pods.probing import Asker, look, number

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HOST = "127.0.0.1"


async def no_command(_: list[str]) -> int:
    raise AssertionError("nothing was to be run")


def probe(**fields: Any) -> Probe:
    """Times may be fractions of a second here, unlike in the API."""
    times = {name: fields.pop(name) for name in list(fields) if name.endswith("Seconds")}
    made: Probe = Probe.from_dict(fields)  # type: ignore[assignment]
    for name, seconds in times.items():
        setattr(made, name, seconds)
    return made


def container(**fields: Any) -> Container:
    made: Container = Container.from_dict({"name": "c", **fields})  # type: ignore[assignment]
    return made


def answering(raw: bytes, seen: list[bytes]) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(raw)
        await writer.drain()
        writer.close()

    return answer


def ask(answer: Answer, **action: Any) -> str:
    """What a probe of a server with that answer finds."""

    async def run() -> str:
        server = await asyncio.start_server(answer, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        spec = probe(httpGet={"port": port, **action}, timeoutSeconds=1)
        async with server:
            return await look(spec, container(), Asker(HOST, HOST, no_command))

    return asyncio.run(run())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (OK, ""),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 503 No\r\n\r\n", "HTTP probe failed with statuscode: 503"),
        (b"HTTP/1.1 404 No\r\n\r\n", "HTTP probe failed with statuscode: 404"),
        (b"SSH-2.0-x\r\n\r\n", "the answer is no HTTP"),
        (b"", "the answer is no HTTP"),
    ],
)
def test_http_answers(raw: bytes, problem: str) -> None:
    assert ask(answering(raw, [])) == problem


def test_an_answer_shorter_than_it_said_is_a_failure() -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi"
    assert "2 bytes read" in ask(answering(short, []))


def test_a_request_as_the_kubelet_sends_it() -> None:
    seen: list[bytes] = []
    header = [{"name": "X-A", "value": "1"}, {"name": "Host", "value": "web"}]
    ask(answering(OK, seen), path="/healthz", httpHeaders=header)
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /healthz HTTP/1.1"
    assert "User-Agent: kube-probe/1.32" in lines
    assert "X-A: 1" in lines
    assert "Host: web" in lines


def test_nobody_listens() -> None:
    async def run() -> str:
        spec = probe(tcpSocket={"port": 1})
        return await look(spec, container(), Asker(HOST, HOST, no_command))

    assert "Connect call failed" in asyncio.run(run())


@pytest.mark.parametrize(("code", "problem"), [(0, ""), (3, "command ended with code 3")])
def test_commands(code: int, problem: str) -> None:
    ran: list[list[str]] = []

    async def run_command(argv: list[str]) -> int:
        ran.append(argv)
        return code

    spec = probe(exec={"command": ["cat", "/x"]})
    assert asyncio.run(look(spec, container(), Asker(HOST, HOST, run_command))) == problem
    assert ran == [["cat", "/x"]]


def test_a_command_that_hangs() -> None:
    async def hang(_: list[str]) -> int:
        await asyncio.Event().wait()
        return 0

    spec = probe(exec={"command": ["x"]}, timeoutSeconds=0.05)
    assert asyncio.run(look(spec, container(), Asker(HOST, HOST, hang))) == "no answer in time"


def test_ports_by_name() -> None:
    named = container(ports=[{"name": "http", "containerPort": 8081}])
    assert (number("http", named), number("80", named), number(7, named)) == (8081, 80, 7)
    with pytest.raises(ValueError, match="no port named 'dns'"):
        number("dns", named)


def health_after(
    looks: list[int], wanted: Callable[[Health], object], before: Health, **probes: Any
) -> Health:
    """Health of a run whose probes' commands end with these codes, once it is as wanted."""
    codes = iter(looks)

    async def run_command(_: list[str]) -> int:
        return next(codes, looks[-1])

    async def run() -> Health:
        bell = Bell()
        spec = container()
        for kind, fields in probes.items():
            setattr(spec, kind, probe(exec={"command": ["x"]}, **fields))
        prober = Prober(spec, Asker(HOST, HOST, run_command), bell, before, lambda *_: None)
        try:
            while not wanted(prober.health):
                assert await bell.heard(10)
            return prober.health
        finally:
            prober.stop()

    return asyncio.run(run())


def test_without_probes_a_container_is_ready_when_it_runs() -> None:
    assert health_after([0], lambda h: h.ready, Health()) == Health(started=True, ready=True)


def test_the_first_success_is_seen_long_before_the_period_is_over() -> None:
    slow = {"periodSeconds": 3600, "failureThreshold": 1}
    found = health_after([1, 1, 1, 0], lambda h: h.ready, Health(), readinessProbe=slow)
    assert found == Health(started=True, ready=True)


def test_a_container_that_does_not_start_is_killed() -> None:
    quick = {"periodSeconds": 0.01, "failureThreshold": 2}
    found = health_after([1], lambda h: h.ailing, Health(), startupProbe=quick)
    assert not found.started
    assert found.ailing == "Startup probe failed: command ended with code 1"


def test_a_container_that_ails_is_killed() -> None:
    quick = {"periodSeconds": 0.01, "failureThreshold": 2}
    found = health_after([0, 1, 1], lambda h: h.ailing, Health(), livenessProbe=quick)
    assert found.ailing == "Liveness probe failed: command ended with code 1"


def test_a_program_on_its_way_out_is_asked_for_its_readiness_only() -> None:
    asked: list[str] = []
    done = asyncio.Event()

    async def run_command(argv: list[str]) -> int:
        asked.append(argv[0])
        if asked.count("ready") == 5:
            done.set()
        return 1 if asked.count("ready") > 2 else 0

    async def run() -> Health:
        quick = {"periodSeconds": 0.005, "failureThreshold": 1}
        spec = container()
        spec.readinessProbe = probe(exec={"command": ["ready"]}, **quick)
        spec.livenessProbe = probe(exec={"command": ["alive"]}, **quick)
        asker = Asker(HOST, HOST, run_command)
        prober = Prober(spec, asker, Bell(), Health(True, True), lambda *_: None)
        prober.leave()
        try:
            await asyncio.wait_for(done.wait(), 10)
            return prober.health
        finally:
            prober.stop()

    assert asyncio.run(run()) == Health(started=True, ready=False)
    assert "alive" not in asked


def test_readiness_is_lost_after_as_many_failures_as_the_probe_says() -> None:
    before = Health(started=True, ready=True)
    quick = {"periodSeconds": 0.005, "failureThreshold": 3}
    found = health_after([0, 1, 1, 1], lambda h: not h.ready, before, readinessProbe=quick)
    assert found.started


def test_what_an_earlier_agent_found_holds_until_probes_say_otherwise() -> None:
    before = Health(started=True, ready=True)
    probes = {"startupProbe": {}, "readinessProbe": {"periodSeconds": 3600}}
    assert health_after([1], lambda h: h.started, before, **probes).ready


def test_early_looks_do_not_count_against_a_container_that_starts_slowly() -> None:
    slow = {"periodSeconds": 3600, "failureThreshold": 1}
    looks = [1, 1, 1, 0]
    found = health_after(looks, lambda h: h.started or h.ailing, Health(), startupProbe=slow)
    assert (found.started, found.ailing) == (True, "")
