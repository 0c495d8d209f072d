"""`hubble watch peers`: the nodes there are, and the changes as they happen."""

from __future__ import annotations

import argparse
import sys

from lab.hubble.api import peer_pb2
from lab.hubble.cli import connection, times
from lab.hubble.cli.terminal import safe
from lab.hubble.cli.texts import enum_name
from lab.hubble.service import table as services


def peers(options: argparse.Namespace) -> None:
    """Print changes until interrupted."""
    with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
        changes = services.call(channel, services.PEER, "Notify")(peer_pb2.NotifyRequest())
        for change in changes:
            sys.stdout.write(f"{line(change)}\n")
            sys.stdout.flush()


def line(change: peer_pb2.ChangeNotification) -> str:
    """One change: its kind, the peer's address and name."""
    tls = f" (TLS.ServerName: {safe(change.tls.server_name)})" if change.HasField("tls") else ""
    kind = enum_name(peer_pb2.ChangeNotificationType, change.type)
    return f"{kind:<12} {safe(change.address)} {safe(change.name)}{tls}"
