"""The verbs around a running lab, each as a person types it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import shell
from lab.sandbox.handle import Lab
from lab.wait import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

PAIR = str(Path(__file__).with_name("pair.py"))
LAB = [sys.executable, "-m", "lab.cli"]
WITHIN = 20.0


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """A running pair of hosts and a router, without a cluster."""
    chosen = f"verbs-{os.getpid()}"
    shell.run([*LAB, "up", PAIR, "--name", chosen], timeout=60)
    yield chosen
    Lab.find(chosen).end()


def lab(verb: str, name: str, *words: str) -> shell.Result:
    return shell.probe([*LAB, verb, "--name", name, *words])


def test_up_tells_programs_what_it_did(name: str) -> None:
    other = f"{name}-json"
    told = shell.run([*LAB, "up", PAIR, "--name", other, "-o", "json"], timeout=60)
    Lab.find(other).end()
    summary = json.loads(told.out)
    assert summary["name"] == other
    assert list(summary["phases"]) == ["network", "routing"]
    assert summary["seconds"] >= max(summary["phases"].values())
    assert [line.split()[0] for line in told.err.splitlines()] == ["network", "routing"]


def test_ps_lists_the_lab(name: str) -> None:
    listed = json.loads(shell.run([*LAB, "ps", "-o", "json"]).out)
    (mine,) = [entry for entry in listed if entry["name"] == name]
    assert (mine["topology"], mine["state"], mine["nodes"]) == ("pair", "ready", 3)


def test_a_lab_keeps_nothing_open_of_who_started_it(name: str) -> None:
    """A script's lock, `flock FILE lab up ...`, is free again when the command is over."""
    other = f"{name}-files"
    ours, theirs = os.pipe()
    command = [*LAB, "up", PAIR, "--name", other]
    subprocess.run(command, pass_fds=[theirs], check=True, capture_output=True, timeout=60)
    os.close(theirs)
    readable, _, _ = select.select([ours], [], [], 0)
    Lab.find(other).end()
    assert readable, "somebody still holds the other end"
    os.close(ours)


def test_several_labs_must_be_told_apart(name: str) -> None:
    other = f"{name}-two"
    shell.run([*LAB, "up", PAIR, "--name", other], timeout=60)
    refused = shell.probe([*LAB, "exec", "host1", "true"])
    Lab.find(other).end()
    assert refused.code == 2
    assert name in refused.err
    assert other in refused.err


def test_exec_hands_on_options_input_and_code(name: str) -> None:
    assert lab("exec", name, "host1", "--", "echo", "-n", "--name", "x").out == "--name x"
    assert lab("exec", name, "host1", "echo", "-n", "y").out == "y"
    command = [*LAB, "exec", "--name", name, "host1", "--", "cat"]
    assert shell.run(command, input="through\n").out == "through\n"
    assert lab("exec", name, "host1", "--", "false").code == 1


def test_an_unknown_node_is_told_which_there_are(name: str) -> None:
    refused = lab("exec", name, "nosuch", "true")
    assert refused.code == 2
    assert "no node 'nosuch'; there are router1, host1, host2" in refused.err


def test_vtysh_takes_a_command_or_its_own_options(name: str) -> None:
    assert "FRRouting" in lab("vtysh", name, "router1", "show", "version").out
    assert "FRRouting" in lab("vtysh", name, "router1", "-c", "show version").out


def test_a_lab_without_a_cluster_has_no_kubectl(name: str) -> None:
    refused = lab("kubectl", name, "get", "nodes")
    assert refused.code == 2
    assert "has no cluster" in refused.err


def test_graph_draws_the_running_lab(name: str) -> None:
    drawn = lab("graph", name).out
    assert all(node in drawn for node in ("router1", "host1", "host2", "10.9.0.0/24"))


def test_capture_writes_packets_to_a_file_of_the_host(name: str, tmp_path: Path) -> None:
    file = tmp_path / "ping.pcap"
    words = [*LAB, "capture", "--name", name, "-w", str(file), "router1", "leg0", "icmp"]
    with file.with_suffix(".err").open("w+") as said:
        capture = shell.start(words, stderr=said)
        until(
            lambda: Path(said.name).read_text(),
            lambda text: "listening on leg0" in text,
            within=WITHIN,
            what="tcpdump listens",
        )
        lab("exec", name, "host1", "--", "ping", "-c", "2", "-i", "0.2", "10.9.0.1")
        until(lambda: file.stat().st_size, lambda size: size > 400, within=WITHIN, what="packets")
        os.killpg(capture.pid, signal.SIGINT)
        assert capture.wait(timeout=WITHIN) == 0
    read = shell.run(["tcpdump", "-n", "-r", str(file)]).out
    assert read.count("ICMP echo request") == 2
    assert read.count("ICMP echo reply") == 2


def test_a_shell_has_a_terminal_with_job_control(name: str) -> None:
    ours, theirs = pty.openpty()
    words = ["setsid", "--ctty", "--wait", *LAB, "shell", "--name", name, "host2"]
    session = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"hostname | tr a-z A-Z\nset -o | grep monitor\ncommand -v hubble\nexit 5\n")
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # EIO: the other end of the terminal is closed
        pass
    assert session.wait(timeout=WITHIN) == 5
    text = said.decode()
    assert "HOST2" in text
    assert "monitor        \ton" in text
    assert f"/run/lab/{name}/bin/hubble" in text
