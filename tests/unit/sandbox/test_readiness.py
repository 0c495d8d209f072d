from __future__ import annotations

from typing import Any

from lab.sandbox.readiness import ready_nodes


def node(name: str, *conditions: tuple[str, str]) -> dict[str, Any]:
    listed = [{"type": kind, "status": status} for kind, status in conditions]
    return {"metadata": {"name": name}, "status": {"conditions": listed}}


def test_a_node_is_ready_when_its_condition_says_so() -> None:
    listed = {
        "items": [
            node("a", ("MemoryPressure", "False"), ("Ready", "True")),
            node("b", ("Ready", "False")),
            node("c", ("Ready", "Unknown")),
            node("d", ("MemoryPressure", "True")),
            {"metadata": {"name": "e"}},
            {"metadata": {"name": "f"}, "status": {"conditions": None}},
        ]
    }
    assert ready_nodes(listed) == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
        "e": False,
        "f": False,
    }
