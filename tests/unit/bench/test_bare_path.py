"""A path for comparison: how it comes up, or does not."""

from __future__ import annotations

import pytest

from lab import shell
from lab.bench.paths.bare_path import _ready_child
from lab.errors import CommandError


def test_a_path_that_cannot_be_built_says_why_and_is_not_waited_for() -> None:
    with shell.spawn(["sh", "-c", "echo iptables-restore: not found >&2; exit 127"]) as ended:
        shell.wait(ended)
        with pytest.raises(CommandError, match="iptables-restore: not found"):
            _ready_child(ended)
