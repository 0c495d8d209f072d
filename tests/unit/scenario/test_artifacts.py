"""What is collected of a lab that failed, and what is not."""

from __future__ import annotations

from pathlib import Path

from lab.scenario.telling.artifacts import collect

from .fakes import FakeLab


def test_configurations_and_logs_are_kept_and_secrets_are_not(tmp_path: Path) -> None:
    run, folder = tmp_path / "run", tmp_path / "failed"
    (run / "nodes" / "r1").mkdir(parents=True)
    for name in ("nodes/r1/bgpd.conf", "supervisor.log", "token", "server.key", "kubeconfig"):
        (run / name).write_text(name)
    assert collect(FakeLab(ip_route=["default via 10.0.0.1"]), run, folder) == str(folder)
    kept = {path.name for path in (folder / "run").rglob("*") if path.is_file()}
    assert kept == {"bgpd.conf", "supervisor.log"}
    asked = (folder / "r1" / "ip-route.txt").read_text()
    assert asked == "$ ip route\ndefault via 10.0.0.1"
