"""What bgpd is ordered to do beside its configuration, when not everything goes well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import FrrError
from lab.frr.model import Advertisement, BgpConfig
from lab.frr.node import node_tree
from lab.frr.speaker import Speaker
from lab.frr.tree import Tree, text

from .configs import PLAIN, VIP
from .test_vty import ANSWERS, daemon

ANEW = "clear bgp ipv4 unicast 192.168.1.1 soft out"
RESET = "clear bgp 192.168.1.1"
REFUSED = b"% not now\n\0\0\0\2"

(NEIGHBOR,) = PLAIN.neighbors
MARKED = replace(PLAIN, advertisements=(Advertisement(VIP, communities=frozenset({"64512:1"})),))
QUICKER = replace(PLAIN, neighbors=(replace(NEIGHBOR, keepalive=1, hold=3),))


class Bgpd:
    """What runs is set by hand: a bgpd that took the lines and then refuses an order."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        self.speaker = Speaker(directory)

    def apply(self, wanted: BgpConfig, running: Tree, *refused: str) -> list[str]:
        with self._monkeypatch.context() as context:
            context.setitem(ANSWERS, b"show running-config", text(running).encode() + b"\0\0\0\0")
            for command in refused:
                context.setitem(ANSWERS, command.encode(), REFUSED)
            try:
                with daemon(self._directory):
                    return self.speaker.apply(wanted)
            finally:
                (self._directory / "bgpd.vty").unlink()


@pytest.fixture
def bgpd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bgpd:
    return Bgpd(tmp_path, monkeypatch)


@pytest.mark.parametrize(("wanted", "order"), [(MARKED, ANEW), (QUICKER, RESET)])
def test_an_order_that_failed_is_given_again_though_the_lines_are_there(
    bgpd: Bgpd, wanted: BgpConfig, order: str
) -> None:
    with pytest.raises(FrrError, match="not now"):
        bgpd.apply(wanted, node_tree(PLAIN), order)
    assert bgpd.apply(wanted, node_tree(wanted)) == [order]
    assert bgpd.apply(wanted, node_tree(wanted)) == []


def test_another_bgpd_needs_no_orders(bgpd: Bgpd) -> None:
    """The sessions of the one before ended with it."""
    with pytest.raises(FrrError, match="not now"):
        bgpd.apply(QUICKER, node_tree(PLAIN), RESET)
    assert RESET not in bgpd.apply(QUICKER, {(): ("frr defaults traditional",)})
