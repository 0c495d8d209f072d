"""The API server killed in a storm of writes, and fed with what is no request."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import shell
from lab.shell import run
from lab.wait import until
from tests.system.kube.assault import MAPS

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
]

START = 60.0
"""Seconds; a bound for loaded machines."""

ASK = """
import json, sys
from pathlib import Path
from tests.system.kube.assault import Api
json.dump(Api(Path(sys.argv[1])).ask("GET", sys.argv[2]), sys.stdout)
"""


class Server:
    """One run of the server in a network namespace of its own."""

    def __init__(self, pid: int, directory: Path) -> None:
        self.pid = pid
        self.directory = directory

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-n", sys.executable, *words]

    def ask(self, path: str) -> tuple[int, dict[str, object]]:
        code, body = run(self.inside("-c", ASK, str(self.directory), path)).json()
        return code, body

    def answers(self) -> bool:
        asked = shell.probe(self.inside("-c", ASK, str(self.directory), "/version"))
        return asked.ok

    def assault(self, how: str) -> list[str]:
        return self.inside("-m", "tests.system.kube.assault", str(self.directory), how)


@contextmanager
def served(directory: Path) -> Iterator[Server]:
    """What the server says goes to `directory`/log."""
    program = f"{sys.executable} -m tests.system.kube.served {directory} server"
    argv = ["unshare", "-n", "sh", "-c", f"exec {program} >>{directory}/log 2>&1"]
    with shell.spawn(argv) as child:
        server = Server(child.pid, directory)
        until(server.answers, bool, within=START, what="the API server")
        yield server


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def test_killed_in_a_storm_it_keeps_every_acknowledged_write(directory: Path) -> None:
    with served(directory) as server, shell.spawn(server.assault("storm")) as storm:
        assert storm.stdout is not None
        assert storm.stdout.readline() == "writing\n"
        os.kill(server.pid, signal.SIGKILL)
        told = json.loads(storm.stdout.readline())
    acknowledged, sent = told["acknowledged"], told["sent"]
    assert len(acknowledged) > 50
    with served(directory) as server:
        _, listed = server.ask(MAPS)
        items: list[dict[str, dict[str, str]]] = listed["items"]  # type: ignore[assignment]
        found = {item["metadata"]["name"]: item["data"]["value"] for item in items}
        # What was sent last may have been stored without its answer having come.
        for name, value in acknowledged.items():
            assert found[name] in (value, sent[name])
        assert found.keys() <= sent.keys()
        # A watch from before the crash is told to list again.
        code, refusal = server.ask(f"{MAPS}?watch=1&resourceVersion=2")
        assert (code, refusal["reason"]) == (410, "Expired")


def test_nonsense_is_refused_and_holds_up_nobody(directory: Path) -> None:
    with served(directory) as server:
        first_lines = run(server.assault("garbage"), timeout=120).json()
        codes = [line.split()[1] for line in first_lines if line]
        assert set(codes) <= {"400", "401", "404", "405", "413", "415", "422"}, first_lines
        assert server.ask("/version")[0] == 200
    assert "Traceback" not in (directory / "log").read_text()
