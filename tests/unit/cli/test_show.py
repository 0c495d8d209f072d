from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab.cli import show
from lab.cli.main import main
from lab.cli.options import settings
from lab.cli.show import age, table
from lab.errors import InputError
from lab.sandbox import rundir
from lab.sandbox.rundir import RunDir, claim, write_json
from lab.topology.plan import Plan


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0s"),
        (59.9, "59s"),
        (60, "1m0s"),
        (312, "5m12s"),
        (3600, "1h0m"),
        (11_040, "3h4m"),
        (190_800, "2d5h"),
    ],
)
def test_an_age_has_two_units(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("NAME", "N"), ("basic", "12"), ("x", "3")]) == (
        "NAME    N\nbasic   12\nx       3"
    )


def test_settings_read_numbers_as_numbers() -> None:
    assert settings(["workers=3", "profile=modern", "empty=", "a=b=c"]) == {
        "workers": 3,
        "profile": "modern",
        "empty": "",
        "a": "b=c",
    }


def test_settings_tell_all_that_is_wrong() -> None:
    with pytest.raises(InputError, match="not workers, =3"):
        settings(["workers", "good=1", "=3"])


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "ROOT", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_ps_tells_a_running_lab_from_a_dead_one(
    labs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locks = {name: claim(RunDir.of(name)) for name in ("alive", "gone")}
    for name in locks:
        run = RunDir.of(name)
        write_json(run.plan, {"name": "basic", "nodes": [{}, {}]})
        write_json(run.state, {"state": "ready", "began": 1.0})
        write_json(run.keeper, {"keeper": 4711})
    os.close(locks["gone"])
    assert main(["ps", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    os.close(locks["alive"])
    assert [(lab["name"], lab["topology"], lab["state"], lab["nodes"]) for lab in listed] == [
        ("alive", "basic", "ready", 2),
        ("gone", "basic", "dead", 2),
    ]


def test_ps_without_labs_is_a_head_line(labs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    assert capsys.readouterr().out.split() == list(show.COLUMNS)


def test_down_removes_what_a_dead_lab_left(labs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.close(claim(RunDir.of("gone")))
    assert main(["down"]) == 0
    assert capsys.readouterr().out == "lab gone is gone\n"
    assert list(labs.iterdir()) == []


def test_the_catalogue_reads_files_without_running_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two_words.py").write_text('"""What it is.\n\nMore."""\nraise SystemExit(9)\n')
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "_part.py").write_text('"""No scenario."""\n')
    monkeypatch.setattr(show, "SCENARIOS", tmp_path)
    assert main(["list", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scenarios"] == {
        "broken": "(cannot be read: line 1)",
        "two-words": "What it is.",
    }
    assert "basic" in found["topologies"]


def test_a_graph_is_drawn_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "basic", "-O", "workers=2"]) == 0
    text = capsys.readouterr().out
    assert "k8s-worker2" in text
    assert "k8s-worker3" not in text
    assert main(["graph", "basic", "-o", "json"]) == 0
    plan = Plan.from_json(json.loads(capsys.readouterr().out))
    assert str(plan.node("k8s-master1").address) == "192.168.1.10"
    assert main(["graph", "basic", "-o", "dot"]) == 0
    assert capsys.readouterr().out.startswith('graph "basic" {')
