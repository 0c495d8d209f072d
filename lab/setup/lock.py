"""`python -m lab.setup.lock`: write the lock files anew from pyproject.toml (needs uv).

Run by a developer after a change of the dependencies. Versions already locked stay unless
`--upgrade` is given.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile

from lab.setup.environment import LOCK, REPOSITORY, TEST_LOCK
from lab.setup.packages import find_program

COMMON = ("--universal", "--python-version", "3.10", "--no-header", "--no-annotate", "--quiet")
LINUX = re.compile(r"( ;| and) sys_platform == 'linux'")
"""The marker uv puts on every line, as pyproject.toml declares no other system."""

HEADER = """\
# {what}, for Python 3.10 to 3.13.
# Written from pyproject.toml by `python -m lab.setup.lock`.
"""


def main(arguments: list[str]) -> int:
    uv = find_program("uv") or os.path.join(REPOSITORY, ".venv", "bin", "uv")
    run = _resolve(uv, LOCK, arguments)
    both = _resolve(uv, TEST_LOCK, ["--group", "dev", "--constraint", LOCK, *arguments])
    _write(LOCK, "Every package of the lab", run)
    _write(TEST_LOCK, "What the tests and checks need besides", [x for x in both if x not in run])
    return 0


def _resolve(uv: str, lock: str, arguments: list[str]) -> list[str]:
    """The pins that uv finds; an existing lock tells it which versions to prefer."""
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "requirements.txt")
        if os.path.exists(lock):
            with open(lock, encoding="utf-8") as old, open(output, "w", encoding="utf-8") as new:
                new.write(old.read())
        argv = [uv, "pip", "compile", "pyproject.toml", *COMMON, "--output-file", output]
        subprocess.run([*argv, *arguments], cwd=REPOSITORY, check=True)
        with open(output, encoding="utf-8") as file:
            return [LINUX.sub("", line) for line in file.read().splitlines()]


def _write(lock: str, what: str, pins: list[str]) -> None:
    with open(lock, "w", encoding="utf-8") as file:
        file.write(HEADER.format(what=what) + "".join(f"{pin}\n" for pin in pins))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
