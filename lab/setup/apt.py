"""The distribution's packages: apt-get, with its progress read from its status lines."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from lab.setup.progress import step
from lab.setup.tool import SetupError, run

PATIENCE = (
    # Another apt (a machine's first boot updates itself) may hold the lock for a while.
    "-o=DPkg::Lock::Timeout=300",
    "-o=Acquire::Retries=3",
)
OPTIONS = (
    "-y",
    "-q",
    "--no-install-recommends",
    # For a package that is installed as far as dpkg knows, and whose program is missing.
    "--reinstall",
    *PATIENCE,
    "-o=Dpkg::Options::=--force-confdef",
    "-o=Dpkg::Options::=--force-confold",
)
QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}

ADVICE = (
    "see that this machine reaches its package mirror (apt-get update),"
    " then give the same command again: it goes on from where it stopped"
)

HALF = {"dlstatus": 0.0, "pmstatus": 50.0}
"""Where the percent of a kind of status line begin in those of the whole."""

Report = Callable[[float, str], None]


def refresh(names: Sequence[str], guard: int) -> None:
    """Bring the package lists up to date; SetupError unless they have all of the names."""
    with step("package lists"):
        # Finishes what an interrupted installation left half done; else it does nothing.
        run(
            ["dpkg", "--configure", "-a"],
            advice=ADVICE,
            environment=QUESTIONS,
            keep_open=(guard,),
        )
        run(["apt-get", "update", "-q", *PATIENCE], advice=ADVICE)
        _refuse_unknown(names)


def install(title: str, names: Sequence[str], guard: int) -> None:
    """Install packages; SetupError when apt-get cannot.

    `guard` is a descriptor that apt-get and what it starts keep open (see `quiet.py`).
    """
    with step(title) as current, _Status(current.at) as status:
        run(
            [
                "apt-get",
                "install",
                *OPTIONS,
                f"-o=APT::Status-Fd={status}",
                *names,
            ],
            advice=ADVICE,
            environment=QUESTIONS,
            keep_open=(status, guard),
        )


def _refuse_unknown(names: Sequence[str]) -> None:
    """All names that apt does not know, before anything is installed."""
    unknown: list[str] = []

    def unknown_in(line: str) -> None:
        if line.startswith("N: ") and ("Unable to locate" in line or "no installable" in line):
            unknown.append(line[3:])

    run(
        ["apt-cache", "policy", "-q=0", *names],
        advice=ADVICE,
        watch=unknown_in,
    )
    if unknown:
        raise SetupError(
            "the package lists of this machine do not have all that the lab needs:",
            seen=unknown,
            advice="enable the distribution's main repository (on Ubuntu also universe)",
        )


class _Status:
    """A pipe for apt's status lines; a thread turns them into percent and words.

    Each line is `kind:package:percent:text`; downloading is `dlstatus` and counts as the first
    half, unpacking and configuring is `pmstatus` and counts as the second.
    """

    def __init__(self, report: Report) -> None:
        self._report = report

    def __enter__(self) -> int:
        reading, self._writing = os.pipe()
        self._thread = threading.Thread(target=self._follow, args=(reading,), daemon=True)
        self._thread.start()
        return self._writing

    def __exit__(self, *_: object) -> None:
        os.close(self._writing)
        self._thread.join(timeout=5)

    def _follow(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                parsed = progress_in(line)
                if parsed:
                    self._report(*parsed)


def progress_in(line: str) -> tuple[float, str] | None:
    """Percent of the whole and words, out of one status line; None for lines of other kinds."""
    fields = line.rstrip("\n").split(":", 3)
    if len(fields) < 4 or fields[0] not in HALF:
        return None
    kind, _, percent, words = fields
    try:
        return HALF[kind] + float(percent) / 2, words
    except ValueError:
        return None
