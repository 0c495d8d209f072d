"""What the supervisor makes of the fork server's reports."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from lab.errors import SandboxError
from lab.sandbox.fork_server import Ended, Service, Start, Started
from lab.sandbox.services import MOST_ENDS, Services
from lab.wait import until


@pytest.fixture
def channel() -> Iterator[tuple[Services, Connection]]:
    ours, theirs = Pipe()
    yield Services(ours), theirs
    theirs.close()


def agent(log: Path) -> Service:
    return Service("t", "agent@w1", "module:function", None, "w1", 1, log)


def test_a_service_that_ends_again_and_again_is_given_up_with_its_last_words(
    channel: tuple[Services, Connection], tmp_path: Path
) -> None:
    services, fork_server = channel
    log = tmp_path / "agent.log"
    log.write_text("first\n" + "noise\n" * 20 + "OSError: port 9965 is taken\n")
    services.start(agent(log))
    assert fork_server.recv() == Start(agent(log))
    for _ in range(MOST_ENDS - 1):
        fork_server.send(Ended("agent@w1", 1, again=True))
    fork_server.send(Started("agent@w1", 77))
    until(services.pids, bool, within=5, what="the report of a start")
    services.require_lasting()
    fork_server.send(Ended("agent@w1", 1, again=True))
    until(services.pids, lambda pids: not pids, within=5, what="the report of an end")
    until(services.restarts, lambda ends: ends["agent@w1"] == MOST_ENDS, within=5, what="a count")
    with pytest.raises(SandboxError, match=r"agent@w1 ended 4 times(.|\n)*port 9965") as refused:
        services.require_lasting()
    assert "first" not in str(refused.value)
