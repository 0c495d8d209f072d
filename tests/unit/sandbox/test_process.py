from __future__ import annotations

import os
import select
import signal
import sys

import pytest

from lab import shell
from lab.sandbox.process import hear_nothing, wake_on

SHOW = """
import sys
from pathlib import Path
from lab.sandbox.process import set_title
set_title(sys.argv[1])
print(ascii(Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode()))
print(ascii(Path("/proc/self/environ").read_bytes()[:9].decode()))
"""


@pytest.mark.parametrize("title", ["lab x: keeper", "x", "ä" * 2, "long " * 400])
def test_a_title_replaces_the_command_line_and_nothing_else(title: str) -> None:
    words = [sys.executable, "-c", SHOW, title]
    size = len("\0".join(words).encode())
    shown, environment = shell.run(words, env={"FIRST": "one"}).out.splitlines()
    assert shown == ascii(title.encode()[:size].decode())
    assert environment == ascii("FIRST=one")


@pytest.fixture
def quiet() -> object:
    yield
    hear_nothing(signal.SIGUSR2)


def test_a_signal_makes_the_wake_up_file_readable(quiet: object) -> None:
    wakeup = wake_on(signal.SIGUSR2)
    assert select.select([wakeup], [], [], 0)[0] == []
    os.kill(os.getpid(), signal.SIGUSR2)
    assert select.select([wakeup], [], [], 10)[0] == [wakeup]
    assert signal.SIGUSR2 in os.read(wakeup, 64)
