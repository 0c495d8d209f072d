from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.sandbox import rundir
from lab.sandbox.rundir import RunDir, all_run_dirs, claim, is_held, read_json, remove, write_json


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "ROOT", tmp_path / "lab")
    return tmp_path / "lab"


@pytest.mark.parametrize("name", ["basic", "a", "lab-2", "x" * 30])
def test_a_name_becomes_a_directory(name: str, root: Path) -> None:
    assert RunDir.of(name).path == root / name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a_b", "x" * 31, "a\n"])
def test_a_name_that_cannot_be_a_directory_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a lab's name"):
        RunDir.of(name)


def test_the_control_socket_of_the_longest_name_fits_a_socket_address() -> None:
    longest = Path("/run/lab") / ("x" * 30) / RunDir.of("x").control.name
    assert len(os.fsencode(longest)) < 108


def test_a_claimed_lab_is_held_until_its_lock_is_closed() -> None:
    run = RunDir.of("one")
    assert not is_held(run)
    lock = claim(run)
    assert is_held(run)
    os.close(lock)
    assert not is_held(run)


def test_a_running_lab_cannot_be_claimed() -> None:
    run = RunDir.of("one")
    lock = claim(run)
    with pytest.raises(InputError, match="running already"):
        claim(run)
    os.close(lock)


def test_the_lock_is_held_as_long_as_one_fork_holds_it() -> None:
    run = RunDir.of("one")
    lock = claim(run)
    another = os.dup(lock)
    os.close(lock)
    assert is_held(run)
    os.close(another)
    assert not is_held(run)


def test_a_claim_removes_what_a_dead_lab_has_left() -> None:
    run = RunDir.of("one")
    os.close(claim(run))
    (run.node("a") / "frr").mkdir(parents=True)
    run.state.write_text("{}")
    (run.path / "link").symlink_to("/etc")
    os.close(claim(run))
    assert sorted(path.name for path in run.path.iterdir()) == [
        "bin",
        "home",
        "lock",
        "log",
        "nodes",
    ]
    assert Path("/etc").is_dir()


def test_a_removed_lab_can_be_claimed_by_who_waited_for_its_lock() -> None:
    run = RunDir.of("one")
    lock = claim(run)
    remove(run)
    assert not run.path.exists()
    again = claim(run)
    os.close(lock)
    assert is_held(run)
    os.close(again)


def test_a_lock_file_that_was_unlinked_meanwhile_does_not_count() -> None:
    run = RunDir.of("one")
    stale = claim(run)
    run.lock.unlink()
    fresh = claim(run)
    assert os.fstat(stale).st_ino != os.fstat(fresh).st_ino
    assert os.fstat(fresh).st_ino == run.lock.stat().st_ino


def test_run_dirs_are_listed_by_name(root: Path) -> None:
    assert list(all_run_dirs()) == []
    for name in ("b", "a"):
        os.close(claim(RunDir.of(name)))
    (root / "stray-file").touch()
    (root / "stray-directory").mkdir()
    assert [run.name for run in all_run_dirs()] == ["a", "b"]


def test_json_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read_json(path) == {}
    write_json(path, {"a": 1})
    write_json(path, {"b": [2]})
    assert read_json(path) == {"b": [2]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]
