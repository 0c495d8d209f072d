"""What a node takes back: denied while bgpd still has it, and not a moment longer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.frr.leaving import MOST, denied, holding_back
from lab.frr.model import Advertisement, BgpConfig
from lab.frr.node import node_tree
from lab.frr.speaker import Speaker, plan_changes
from lab.frr.tree import Tree, text

from .configs import OTHER_VIP, PLAIN, RICH, VIP
from .test_vty import ANSWERS, daemon

END = b"\0\0\0\0"
SILENT = replace(PLAIN, advertisements=())
DENIAL = "ip prefix-list leaving seq 208662241 deny 172.16.10.0/32"


def held_back(wanted: BgpConfig, running: Tree, *, known: bool = True) -> Tree:
    return holding_back(node_tree(wanted), running, lambda _: known)


def commands(wanted: Tree, running: Tree) -> list[str]:
    return [line for step in plan_changes(wanted, running, "bgpd") for line in step]


def test_a_vip_that_goes_is_denied_with_the_same_write() -> None:
    running = node_tree(PLAIN)
    assert commands(held_back(SILENT, running), running) == [
        *("router bgp 64512", "address-family ipv4 unicast", "no network 172.16.10.0/32"),
        *("exit-address-family", "exit", DENIAL),
    ]


def test_it_stays_denied_until_bgpd_has_forgotten_it() -> None:
    running = held_back(SILENT, node_tree(PLAIN))
    assert commands(held_back(SILENT, running, known=True), running) == []
    assert commands(held_back(SILENT, running, known=False), running) == [f"no {DENIAL}"]


def test_it_is_let_through_at_once_when_it_is_announced_again() -> None:
    running = held_back(SILENT, node_tree(PLAIN))
    again = held_back(PLAIN, running)
    assert not denied(again)
    assert f"no {DENIAL}" in commands(again, running)


def test_others_are_let_through() -> None:
    both = replace(PLAIN, advertisements=(Advertisement(VIP), Advertisement(OTHER_VIP)))
    assert denied(held_back(PLAIN, node_tree(both))) == {OTHER_VIP}
    assert not denied(held_back(both, node_tree(PLAIN)))


def test_a_crowd_leaves_without_denials() -> None:
    crowd = [Advertisement(each) for each in IPv4Network("172.16.10.0/24").subnets(new_prefix=32)]
    running = node_tree(replace(PLAIN, advertisements=tuple(crowd[: MOST + 1])))
    assert not denied(held_back(SILENT, running))
    assert len(denied(held_back(PLAIN, running))) == MOST


def test_each_ip_version_has_a_list_of_its_own_and_none_without_neighbors() -> None:
    running = node_tree(RICH)
    silent = held_back(replace(RICH, advertisements=()), running)
    assert denied(silent) == {each.prefix for each in RICH.advertisements}
    assert not denied(held_back(replace(RICH, neighbors=()), running))


def test_the_speaker_looks_again_until_bgpd_has_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker, socket = Speaker(tmp_path), tmp_path / "bgpd.vty"

    def applied(running: Tree, of_the_vip: bytes) -> list[str]:
        monkeypatch.setitem(ANSWERS, b"show running-config", text(running).encode() + END)
        question = b"show bgp ipv4 unicast 172.16.10.0/32 json"
        monkeypatch.setitem(ANSWERS, question, of_the_vip + END)
        with daemon(tmp_path):
            commands = speaker.apply(SILENT)
        socket.unlink()
        return commands

    held = held_back(SILENT, node_tree(PLAIN))
    assert DENIAL in applied(node_tree(PLAIN), b"")
    assert speaker.untidy
    assert applied(held, b'{"paths": [{}]}') == []
    assert speaker.untidy
    assert applied(held, b"{}") == [f"no {DENIAL}"]
    assert not speaker.untidy
