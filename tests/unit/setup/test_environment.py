"""The stamp of the Python environment: when it holds, and when it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab.setup import environment


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in a place of its own, with locks of two packages and one."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "run.txt").write_text("# a comment\nclick==8\nrich==15\n")
    (tmp_path / "test.txt").write_text("pytest==9\n")
    monkeypatch.setattr(environment, "PYTHON", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(environment, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(environment, "LOCK", str(tmp_path / "run.txt"))
    monkeypatch.setattr(environment, "TEST_LOCK", str(tmp_path / "test.txt"))
    return tmp_path


def test_comments_are_no_packages(venv: Path) -> None:
    assert environment.count(test=False) == 2
    assert environment.count(test=True) == 3


def test_an_environment_without_a_stamp_is_incomplete(venv: Path) -> None:
    assert not environment.filled_for(test=False)


def test_a_stamp_for_a_run_is_none_for_the_tests(venv: Path) -> None:
    environment.stamp(test=False)
    assert environment.filled_for(test=False)
    assert not environment.filled_for(test=True)


def test_a_stamp_for_the_tests_serves_a_run_too(venv: Path) -> None:
    environment.stamp(test=True)
    assert environment.filled_for(test=False)
    assert environment.filled_for(test=True)


def test_another_version_in_the_lock_asks_for_filling(venv: Path) -> None:
    environment.stamp(test=False)
    (venv / "run.txt").write_text("click==9\nrich==15\n")
    assert not environment.filled_for(test=False)


def test_a_repository_that_moved_asks_for_filling(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.stamp(test=False)
    monkeypatch.setattr(environment, "REPOSITORY", "/elsewhere")
    assert not environment.filled_for(test=False)


def test_an_interpreter_that_vanished_asks_for_filling(venv: Path) -> None:
    environment.stamp(test=False)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "removed")
    assert not environment.filled_for(test=False)


def test_unstamping_twice_is_fine(venv: Path) -> None:
    environment.stamp(test=False)
    environment.unstamp()
    environment.unstamp()
    assert not environment.filled_for(test=False)
