"""Which Kubernetes this server says it is."""

from __future__ import annotations

from typing import Any

SERVER_VERSION = "v1.32.4"
"""The Kubernetes release whose API this server speaks a part of."""


def version() -> dict[str, Any]:
    _, minor, _ = SERVER_VERSION.lstrip("v").split(".")
    return {
        "major": "1", "minor": minor, "gitVersion": SERVER_VERSION, "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "2025-04-22T16:00:00Z", "goVersion": "",
        "compiler": "", "platform": "linux/amd64",
    }  # fmt: skip
