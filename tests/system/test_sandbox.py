"""A sandbox against SIGKILL, Ctrl-C and its like: whatever dies, nothing of the lab stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import shell
from lab.errors import CommandError, InputError
from lab.sandbox.ending import end
from lab.sandbox.handle import Lab
from lab.sandbox.listing import summaries
from lab.sandbox.rundir import RunDir, is_held
from lab.wait import until

from .traces import Traces, cgroups, comm, descendants, stat_fields

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

PAIR = str(Path(__file__).with_name("pair.py"))
LAB = [sys.executable, "-m", "lab.cli"]

UP_WITHIN = 30.0
"""Seconds; a bound for loaded machines."""


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name for a lab that no other test or person uses; the lab is ended afterwards."""
    chosen = f"t{os.getpid()}-{abs(hash(request.node.name)) % 10_000}"
    yield chosen
    run = RunDir.of(chosen)
    if run.path.exists():
        end(run)


@pytest.fixture
def traces(name: str) -> Traces:
    return Traces(name)


def up(name: str) -> Lab:
    shell.run([*LAB, "up", PAIR, "--name", name], timeout=UP_WITHIN)
    return Lab.find(name)


def keeper_of(lab: Lab) -> int:
    return next(summary.keeper for summary in summaries() if summary.name == lab.name)


def one_named(pids: list[int], name: str) -> int:
    return next(pid for pid in pids if comm(pid) == name)


@pytest.mark.parametrize("victim", ["lab-keeper", "lab-init", "lab-supervisor", "lab-services"])
def test_killing_any_part_of_a_running_lab_leaves_nothing(
    victim: str, name: str, traces: Traces
) -> None:
    pids = traces.follow(keeper_of(up(name)))
    assert len(pids) > 8, "keeper, PID 1, two of its crew, three nodes, FRR's daemons"
    os.kill(one_named(pids, victim), signal.SIGKILL)
    traces.until_gone()
    assert not is_held(RunDir.of(name))


def test_killing_both_who_watch_each_other_leaves_an_empty_cgroup_that_is_named_and_removed(
    name: str, traces: Traces
) -> None:
    keeper = keeper_of(up(name))
    pid1 = one_named(traces.follow(keeper), "lab-init")
    os.kill(keeper, signal.SIGSTOP)  # Both at once: the keeper cannot see the end of PID 1.
    os.kill(pid1, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    group = until(traces.left, lambda left: len(left) == 1, within=10, what="all but the cgroup")
    assert group == [f"cgroup {path}" for path in cgroups(name)]
    told = shell.probe([*LAB, "doctor", "--leaks"])
    assert told.code == 1
    assert str(cgroups(name)[0]) in told.err
    assert f"to mend it: lab down {name}\n" in told.err
    shutil.rmtree(RunDir.of(name).path)  # Even without it.
    shell.run([*LAB, "down", name])
    assert traces.left() == []


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 10, 12])
def test_killing_the_newest_process_of_a_bring_up_leaves_nothing(
    count: int, name: str, traces: Traces
) -> None:
    starting = shell.start([*LAB, "up", PAIR, "--name", name])
    tree = grown(starting, count, traces)
    kill_own(tree, lambda pids: pids[-1])
    if starting.wait(timeout=UP_WITHIN) == 0:
        Lab.find(name).end()
    traces.until_gone()
    assert shell.run([*LAB, "up", PAIR, "--name", name], timeout=UP_WITHIN).ok


@pytest.mark.parametrize("count", [2, 4, 7, 11])
@pytest.mark.parametrize("generation", [0, 1, 2, 3])
def test_killing_an_ancestor_during_a_bring_up_leaves_nothing(
    count: int, generation: int, name: str, traces: Traces
) -> None:
    starting = shell.start([*LAB, "up", PAIR, "--name", name])
    tree = grown(starting, count, traces)
    kill_own(tree, lambda pids: pids[min(generation, len(pids) - 1)])
    starting.wait(timeout=UP_WITHIN)
    if is_held(RunDir.of(name)):
        Lab.find(name).end()
    traces.until_gone()


def grown(starting: subprocess.Popen[str], count: int, traces: Traces) -> list[int]:
    """The processes of a bring-up as soon as there are so many, or it is over."""
    return until(
        lambda: traces.follow(starting.pid),
        lambda tree: len(tree) >= count or starting.poll() is not None,
        within=UP_WITHIN,
        what="processes of the bring-up",
    )


def kill_own(tree: list[int], choose: Callable[[list[int]], int]) -> None:
    if tree:
        try:
            os.kill(choose(tree), signal.SIGKILL)
        except ProcessLookupError:
            return


def test_killing_the_command_that_ends_a_lab_leaves_a_lab_that_ends(
    name: str, traces: Traces
) -> None:
    lab = up(name)
    traces.follow(keeper_of(lab))
    ending = shell.start([*LAB, "down", name])
    ending.kill()
    ending.wait()
    lab.end()
    traces.until_gone()


@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_ctrl_c_ends_a_bring_up_cleanly(count: int, name: str, traces: Traces) -> None:
    starting = shell.start([*LAB, "up", PAIR, "--name", name])
    grown(starting, count, traces)
    os.killpg(starting.pid, signal.SIGINT)
    code = starting.wait(timeout=UP_WITHIN)
    if code == 0:  # it was up before the signal came
        Lab.find(name).end()
    else:
        assert code in (130, -signal.SIGINT)
    traces.until_gone()
    assert not RunDir.of(name).path.exists()


def test_a_name_in_use_is_refused_and_its_lab_unharmed(name: str) -> None:
    lab = up(name)
    refused = shell.probe([*LAB, "up", PAIR, "--name", name])
    assert refused.code == 2
    assert f"a lab named '{name}' is running already" in refused.err
    assert lab.node("host1").run(["hostname"]).out == "host1\n"


def test_two_labs_of_one_topology_do_not_meet(name: str) -> None:
    first, second = up(name), up(f"{name}b")
    try:
        first.node("host1").run(["ip", "link", "set", "eth0", "down"])
        second.node("host1").run(["ping", "-c", "1", "-W", "2", "10.9.0.12"])
        assert first.node("host1").probe(["ping", "-c", "1", "-W", "1", "10.9.0.12"]).code != 0
    finally:
        second.end()
    assert first.node("host2").run(["hostname"]).out == "host2\n"


def test_a_command_sees_the_lab_and_not_the_host(name: str) -> None:
    node = up(name).node("host1")
    assert node.run(["hostname"]).out == "host1\n"
    assert node.run(["cat", "/proc/1/comm"]).out == "lab-init\n"
    assert node.run(["ls", "/run/lab"]).out == f"{name}\n"
    with tempfile.NamedTemporaryFile() as ours:
        assert Path(ours.name).name not in node.run(["ls", "-a", "/tmp"]).out
    assert node.run(["cat", "/proc/self/cgroup"]).out.endswith(f"0::/lab-{name}/host1\n")
    assert set(node.run(["ls", "/sys/class/net"]).out.split()) == {"lo", "eth0"}


def test_what_a_lab_writes_in_private_places_stays_in_it(name: str, traces: Traces) -> None:
    lab = up(name)
    for place in ("/tmp", "/run", "/var/log", "/var/tmp", "/etc/frr", "/dev/shm"):
        lab.node("router1").run(["touch", f"{place}/{name}-was-here"])
        assert not Path(place, f"{name}-was-here").exists()
    assert [line for line in traces.left() if line.startswith("file")] == []


def test_a_commands_code_and_output_are_its_own(name: str) -> None:
    up(name)
    run = [*LAB, "exec", "--name", name, "host1", "--", "sh", "-c"]
    failed = shell.probe([*run, "echo out; echo err >&2; exit 7"])
    assert (failed.code, failed.out, failed.err) == (7, "out\n", "err\n")
    assert shell.probe([*run, "kill -TERM $$"]).code == -signal.SIGTERM


def test_a_program_that_is_not_there_has_no_result(name: str) -> None:
    with pytest.raises(CommandError, match=r"no-such-program.* on host1 ended with code 127"):
        up(name).node("host1").probe(["no-such-program"])


def test_a_spawned_program_ends_with_its_block(name: str) -> None:
    lab = up(name)
    with lab.node("host1").spawn(["sleep", "1000"]) as child:
        sleeper = until(
            lambda: [pid for pid in descendants(child.pid) if comm(pid) == "sleep"],
            bool,
            within=10,
            what="sleep in the node",
        )[0]
    until(lambda: comm(sleeper), lambda seen: seen != "sleep", within=10, what="end of the sleep")


def test_a_program_of_a_dead_lab_ends(name: str) -> None:
    lab = up(name)
    with lab.node("host1").spawn(["sleep", "1000"]) as child:
        until(lambda: len(descendants(child.pid)), lambda n: n > 1, within=10, what="sleep")
        lab.end()
        assert child.wait(timeout=10) != 0


def test_a_suspended_program_does_not_hold_up_the_end(name: str) -> None:
    """nsenter stops with it, and would leave what was killed inside unburied for ever."""
    lab = up(name)
    with lab.node("host1").spawn(["sh", "-c", "kill -STOP $$"]) as entering:
        until(
            lambda: stat_fields(entering.pid)[:1], lambda seen: seen == ["T"], within=10, what="T"
        )
        shell.run([*LAB, "down", name])
        assert not lab.run.path.exists()


ANSWER_AND_GO = """
import socket
listener = socket.create_server(("", 7))
print(flush=True)
connection, _ = listener.accept()
connection.recv(1)
"""


def test_a_connection_without_a_program_is_given_up_soon_and_frees_its_namespace(name: str) -> None:
    lab = up(name)
    server, client = lab.node("host1"), lab.node("host2")
    ask = ["bash", "-c", "exec 3<>/dev/tcp/10.9.0.11/7; echo; sleep infinity"]
    with server.spawn([sys.executable, "-c", ANSWER_AND_GO]) as listening:
        assert listening.stdout is not None
        listening.stdout.readline()
        with client.spawn(ask) as asking:
            assert asking.stdout is not None
            asking.stdout.readline()
            server.run(["ip", "link", "set", "eth0", "down"])
    orphans = ["ss", "-Htn", "state", "fin-wait-1"]
    until(lambda: client.run(orphans).out, bool, within=10, what="connection without a program")
    until(lambda: client.run(orphans).out, lambda out: not out, within=50, what="end of it")


def test_a_host_that_forbids_to_execute_in_run_can_have_a_lab(name: str) -> None:
    lab = " ".join(LAB)
    script = (
        "mkdir -p /run/lab && mount -t tmpfs -o noexec none /run/lab &&"
        f" {lab} up {PAIR} --name {name} && {lab} exec --name {name} host1 -- hubble --help;"
        f" {lab} down {name}"
    )
    done = shell.run(["unshare", "--mount", "sh", "-c", script], timeout=UP_WITHIN)
    assert "usage: hubble" in done.out


def test_a_lab_that_fails_leaves_its_logs_and_a_free_name(
    name: str, traces: Traces, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(Path(PAIR).read_text().replace('"router1:leg0"', '"router1:all"'))
    failed = shell.probe([*LAB, "up", str(file), "--name", name], timeout=UP_WITHIN)
    assert failed.code != 0
    assert failed.err.strip()
    traces.until_gone()
    assert RunDir.of(name).log("supervisor").read_text()
    up(name)


def test_an_unknown_lab_is_told_which_there_are(name: str) -> None:
    up(name)
    with pytest.raises(InputError, match=f"no lab named 'nosuch' is running; .*{name}"):
        Lab.find("nosuch")
