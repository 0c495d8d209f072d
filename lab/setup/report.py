"""What a machine lacks, in words, with the commands that mend it."""

from __future__ import annotations

import textwrap

from lab.setup import environment
from lab.setup.machine import Distribution, distribution
from lab.setup.packages import Package, names_on
from lab.setup.survey import Lacking

NO_APT = "from a Python package"


def mending(lacking: Lacking) -> str:
    """The lab's own command that provides all of it."""
    return "sudo python3 -m lab setup" + " --test" * lacking.test


def apt_names(lacking: Lacking, family: str) -> list[str]:
    """The packages to ask apt for."""
    return [name for package in lacking.packages for name in names_on(family, package)]


def summary(lacking: Lacking, family: str) -> list[str]:
    """What is to be installed, in lines of at most 96 columns."""
    lines = []
    names = apt_names(lacking, family)
    if names:
        text = f"{_plural(len(names), 'package')} of the distribution: {' '.join(names)}"
        lines += textwrap.wrap(text, 96, initial_indent="  ", subsequent_indent="    ")
    if lacking.unfinished:
        lines.append("  and finishing a set-up that was cut short")
    if lacking.python:
        pinned = environment.count(test=lacking.test)
        lines.append(f"  {pinned} Python packages, pinned, into {environment.VENV}")
    return lines


def report(lacking: Lacking) -> str:
    """Everything that lacks, one line each, and how to mend it."""
    system = distribution()
    lines = [f"This machine ({system.name}) lacks:"]
    lines += [_row(package, system) for package in lacking.packages]
    if lacking.python:
        lines.append(f"  {'Python packages':30} as pinned in {environment.LOCK}")
    if lacking.unfinished:
        lines.append("  the end of a set-up that was cut short")
    lines.append(f"to mend it: {mending(lacking)}")
    return "\n".join(lines)


def _row(package: Package, system: Distribution) -> str:
    names = " ".join(names_on(system.family, package)) or f"{package.names[0]} ({NO_APT})"
    return f"  {names:30} {package.use}"


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"
