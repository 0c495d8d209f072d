"""Answers of FRR 8.4.4, as recorded on the router of the article's network."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from lab.errors import FrrError
from lab.frr.answers import BfdSession, Peer, bfd_sessions, paths, peers

SAMPLES = Path(__file__).parent / "samples"
NODES = [IPv4Address(f"192.168.1.{last}") for last in (10, 21, 22, 23, 24, 25)]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def test_peers() -> None:
    found = peers(sample("summary.json"))
    assert [peer.address for peer in found] == NODES
    assert found[0] == Peer(NODES[0], 64512, "Established", received=1, sent=0, uptime=4.0)
    assert all(peer.established for peer in found)


def test_a_speaker_without_bgp_has_no_peers() -> None:
    assert peers({}) == []


def test_paths_are_six_equal_ones_of_which_one_is_best() -> None:
    found = paths(sample("bgp_routes.json"))
    assert sorted(path.next_hop for path in found) == NODES
    assert {str(path.prefix) for path in found} == {"172.16.10.0/32"}
    assert [path.peer for path in found if path.best] == [NODES[0]]
    assert sum(path.multipath for path in found) == 5
    assert {path.local_preference for path in found} == {100}


def test_bfd_sessions() -> None:
    found = bfd_sessions(sample("bfd.json"))
    assert [session.peer for session in found] == NODES
    assert found[1] == BfdSession(
        NODES[1], up=True, multiplier=3, receive_interval=50, transmit_interval=50
    )


@pytest.mark.parametrize("read", [peers, paths, bfd_sessions])
@pytest.mark.parametrize(
    "answer",
    [
        "% Unknown command",
        7,
        {"ipv4Unicast": {"peers": {"x": {}}}, "routes": {"p": [{}]}},
    ],
)
def test_an_answer_of_another_form_is_an_error(
    read: Callable[[Any], object], answer: object
) -> None:
    with pytest.raises(FrrError, match="no such answer is known"):
        read(answer)
