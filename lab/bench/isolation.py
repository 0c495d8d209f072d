"""Namespaces for what a lab is compared with: as a lab's own, made by unshare(1).

Nothing of it can reach the host's network, and all of it ends with the first process.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

NAMESPACES = "--mount --pid --fork --kill-child --net --uts --ipc"
PRIVATE = ("/tmp", "/run", "/var/log", "/etc/frr")

PREPARE = " && ".join(
    [
        "mount --make-rprivate /",
        *(f"mount -t tmpfs none {place}" for place in PRIVATE),
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
