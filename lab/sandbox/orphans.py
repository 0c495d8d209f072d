"""Connections that nobody holds any more, and the namespace that they keep alive.

The kernel goes on sending what a killed program left unsent, its FIN at least, until the other end
acknowledges it. When a lab dies, the other ends are gone first: each such socket would be tried
eight times, for more than 100 s, and hold its network namespace, with the programs and maps in it,
so long.
"""

from __future__ import annotations

from pathlib import Path

RETRIES = 4
"""How often an orphan is sent again before it is given up: after 6.2 s when the first try is
repeated after 200 ms, for the distance doubles each time. A lossy wire stays usable for a server
that closes behind its answer. Source: tcp_orphan_retries in ip-sysctl.rst, `tcp_write_timeout` in
net/ipv4/tcp_timer.c."""


def give_up_orphans_soon() -> None:
    """Set it for the caller's network namespace."""
    Path("/proc/sys/net/ipv4/tcp_orphan_retries").write_text(str(RETRIES))
