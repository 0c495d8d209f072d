"""The guard that keeps packages from starting services, on files of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lab import shell
from lab.setup import quiet
from lab.wait import until


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    (tmp_path / "services").mkdir()
    monkeypatch.setattr(quiet, "POLICY", str(path))
    monkeypatch.setattr(quiet, "SAVED", str(path) + ".saved")
    monkeypatch.setattr(quiet, "UNFINISHED", str(tmp_path / "unfinished"))
    monkeypatch.setattr(quiet, "DIRECTORIES", {str(tmp_path / "services"): ".service"})
    return path


def test_services_are_forbidden_inside_and_nothing_stays(policy: Path) -> None:
    with quiet.services_kept_quiet():
        assert shell.probe([str(policy), "frr", "start"]).code == 101
    assert not policy.exists()


def test_a_policy_that_was_there_comes_back(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o755)
    with quiet.services_kept_quiet():
        assert shell.probe([str(policy)]).code == 101
    assert shell.probe([str(policy)]).code == 104


def test_an_error_inside_restores_too(policy: Path) -> None:
    with pytest.raises(RuntimeError), quiet.services_kept_quiet():
        raise RuntimeError
    assert not policy.exists()


def test_a_killed_setup_is_cleaned_up_behind(policy: Path) -> None:
    child = os.fork()
    if child == 0:
        with quiet.services_kept_quiet():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    until(lambda: not policy.exists(), bool, within=5, what="removal of the policy")


def test_new_services_are_disabled_and_old_ones_are_not(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services" / "old.service").touch()
    log = tmp_path / "log"
    tool = tmp_path / "systemctl-of-this-test"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    tool.chmod(0o755)
    monkeypatch.setattr(quiet, "SYSTEMCTL", (str(tool), "disable"))
    with quiet.services_kept_quiet():
        (tmp_path / "services" / "new.service").touch()
    assert log.read_text() == "disable new.service\n"


def test_what_a_killed_guard_left_is_finished_by_the_next(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    tool = tmp_path / "systemctl-of-this-test"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    tool.chmod(0o755)
    monkeypatch.setattr(quiet, "SYSTEMCTL", (str(tool), "disable"))
    quiet._remembered()
    quiet._forbid(1)
    (tmp_path / "services" / "new.service").touch()
    with quiet.services_kept_quiet():
        pass
    assert log.read_text() == "disable new.service\n"
    assert not policy.exists()
    assert not (tmp_path / "unfinished").exists()


def test_a_policy_does_not_take_another_process_for_its_guard(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "_start_of", lambda process: "12345678901234")
    quiet._forbid(os.getpid())
    assert shell.probe([str(policy)]).code == 0


def test_a_policy_whose_guard_is_gone_forbids_nothing(policy: Path) -> None:
    policy.parent.mkdir(exist_ok=True)
    ended = os.fork()
    if ended == 0:
        os._exit(0)
    os.waitpid(ended, 0)
    quiet._forbid(ended)
    assert shell.probe([str(policy)]).code == 0
