"""A pod's namespaces and processes: started, asked, adopted, ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.agent.bell import Bell
from lab.agent.pods.container import Launch
from lab.agent.pods.sandbox import Process, Sandbox

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
]

PATIENCE = 20.0
ENV = {"PATH": os.defpath}

Body = Callable[["Pod"], Coroutine[Any, Any, None]]


class Pod:
    """A sandbox with the means to wait for what its processes do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._bell = Bell()
        self.sandbox = Sandbox(directory, self._bell.ring)

    def start(self, name: str, *argv: str, attempt: int = 0, **launch: Any) -> None:
        log = str(self.directory / f"{name}-{attempt}.log")
        self.sandbox.start(name, attempt, Launch(list(argv), ENV, log=log, **launch))

    async def until(self, name: str, holds: Callable[[Process], bool]) -> Process:
        async def wait() -> Process:
            while True:
                process = self.sandbox.processes.get(name)
                if process is not None and holds(process):
                    return process
                await self._bell.heard()

        return await asyncio.wait_for(wait(), PATIENCE)

    async def ended(self, name: str) -> int | None:
        return (await self.until(name, lambda process: process.code is not None)).code

    async def say(self, container: str, *argv: str) -> str:
        """What a command in a running container says on its standard output."""
        read, write = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            launch = Launch(list(argv), ENV)
            await self.sandbox.execute(container, launch, [null, write, null])
        finally:
            os.close(write)
            os.close(null)
        with os.fdopen(read) as output:
            return output.read()


@asynccontextmanager
async def open_pod(directory: Path) -> AsyncIterator[Pod]:
    pod = Pod(directory)
    await pod.sandbox.open("web1-abc")
    try:
        yield pod
    finally:
        pod.sandbox.stop()
        pod.sandbox.close()


def in_a_pod(directory: Path, body: Body) -> None:
    async def run() -> None:
        async with open_pod(directory) as pod:
            await body(pod)

    asyncio.run(run())


def open_files() -> set[Path]:
    """Descriptors of this process; the one that lists them is closed again."""
    return {path for path in Path("/proc/self/fd").iterdir() if path.exists()}


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -9 $$"], 137),
        (["/no/such/program"], 127),
        (["/etc/hosts"], 126),
    ],
)
def test_exit_codes(tmp_path: Path, argv: list[str], code: int) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", *argv)
        assert await pod.ended("c") == code

    in_a_pod(tmp_path, body)


def test_a_program_that_cannot_be_started_says_why_in_its_log(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", "/no/such/program")
        await pod.ended("c")

    in_a_pod(tmp_path, body)
    assert "No such file or directory" in (tmp_path / "c-0.log").read_text()


def test_a_pod_has_namespaces_of_its_own(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", "sleep", "60")
        await pod.until("c", lambda process: process.code is None)
        assert await pod.say("c", "hostname") == "web1-abc\n"
        assert await pod.say("c", "sh", "-c", "ls /sys/class/net >&2; ip -o link | wc -l") == "1\n"
        assert "sleep" in await pod.say("c", "ps", "-e", "-o", "comm")
        assert await pod.say("c", "ls", "/run") == ""

    in_a_pod(tmp_path, body)


def test_a_container_cannot_write_to_the_machine(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", "sh", "-c", "touch /etc/from-a-pod", scratch=["/var/tmp"])
        assert await pod.ended("c") == 1
        pod.start(
            "d", "sh", "-c", "touch /var/tmp/from-a-pod && touch /run/x", scratch=["/var/tmp"]
        )
        assert await pod.ended("d") == 0

    in_a_pod(tmp_path, body)
    assert not Path("/var/tmp/from-a-pod").exists()


def test_files_of_an_image_are_seen_by_its_container_only(tmp_path: Path) -> None:
    mine = tmp_path / "hosts"
    mine.write_text("10.0.1.7 web1-abc\n")

    async def body(pod: Pod) -> None:
        pod.start("c", "cat", "/etc/hosts", mounts=[[str(mine), "/etc/hosts"]])
        pod.start("d", "cat", "/etc/hosts")
        await pod.ended("c")
        await pod.ended("d")

    in_a_pod(tmp_path, body)
    assert (tmp_path / "c-0.log").read_text() == mine.read_text()
    assert (tmp_path / "d-0.log").read_text() == Path("/etc/hosts").read_text()


def test_an_agent_that_comes_back_learns_what_happened(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("short", "sh", "-c", "sleep 0.2; exit 5")
        pod.start("long", "sleep", "60")
        await pod.until("long", lambda process: process.code is None)
        pod.sandbox.close()

        again = Pod(tmp_path)
        assert again.sandbox.adopt()
        assert await again.ended("short") == 5
        assert again.sandbox.processes["long"].code is None
        again.sandbox.kill("long")
        assert await again.ended("long") == 128 + signal.SIGTERM
        again.sandbox.stop()

    in_a_pod(tmp_path, body)


def test_an_agent_lets_go_of_a_pod_that_it_found_running(tmp_path: Path) -> None:
    """A line that stays open would be readable for ever: the loop would do nothing else."""

    async def body(pod: Pod) -> None:
        pod.start("c", "sleep", "60")
        await pod.until("c", lambda process: process.code is None)
        pod.sandbox.close()

        again, before = Pod(tmp_path), open_files()
        assert again.sandbox.adopt()
        await again.sandbox.open("web1-abc")
        os.kill(again.sandbox.pid, signal.SIGKILL)
        assert await again.ended("c") == 128 + signal.SIGKILL
        assert open_files() == before

    in_a_pod(tmp_path, body)


def test_the_end_of_pid_1_ends_everything_and_is_noticed(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", "sleep", "60")
        await pod.until("c", lambda process: process.code is None)
        os.kill(pod.sandbox.pid, signal.SIGKILL)
        assert await pod.ended("c") == 128 + signal.SIGKILL
        assert not pod.sandbox.alive
        assert not Sandbox(tmp_path, lambda: None).adopt()

    in_a_pod(tmp_path, body)


def test_a_command_for_a_container_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        launch = Launch(["true"], ENV)
        assert await pod.sandbox.execute("nobody", launch, [null, null, null]) == 126
        os.close(null)
        pod.start("c", "true")
        assert await pod.ended("c") == 0

    in_a_pod(tmp_path, body)


def test_a_command_that_is_given_up_is_killed(tmp_path: Path) -> None:
    async def body(pod: Pod) -> None:
        pod.start("c", "sleep", "60")
        await pod.until("c", lambda process: process.code is None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pod.say("c", "sleep", "61"), 0.3)
        assert "sleep 61" not in await pod.say("c", "ps", "-e", "-o", "args")

    in_a_pod(tmp_path, body)
