"""Namespaces for what a lab is compared with: as a lab's own, made by unshare(1).

Nothing of it can reach the host's network, and all of it ends with the first process.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from lab.sandbox.mounts import OWN_CODE

NAMESPACES = "--mount --pid --fork --kill-child --net --uts --ipc"
PRIVATE = ("/tmp", "/run", "/var/log", "/etc/frr")


def _shown_again(fd: int, path: Path) -> str:
    """A directory that was opened before it was hidden, at its old place."""
    place = shlex.quote(str(path))
    return f"mkdir -p {place} && mount --no-canonicalize --rbind /proc/self/fd/{fd} {place}"


HIDDEN = [path for path in OWN_CODE if any(path.is_relative_to(place) for place in PRIVATE)]
"""Where this very program lies, if that is in a directory that becomes private."""

PREPARE = " && ".join(
    [
        "mount --make-rprivate /",
        *(f"exec {fd}< {shlex.quote(str(path))}" for fd, path in enumerate(HIDDEN, start=5)),
        *(f"mount -t tmpfs none {place}" for place in PRIVATE),
        *(_shown_again(fd, path) for fd, path in enumerate(HIDDEN, start=5)),
        "mount -t proc proc /proc",
        "mount -t sysfs sysfs /sys",
        "mkdir -p /run/netns /run/frr",
        "ip link set lo up",
        # Frames on a bridge are for the bridge: no detour through netfilter.
        "{ sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true; }",
    ]
)


def isolated(argv: Sequence[str]) -> list[str]:
    """The words that run a program in namespaces of its own."""
    script = f"{PREPARE} && exec {shlex.join(argv)}"
    return ["unshare", *NAMESPACES.split(), "--", "sh", "-c", script]
