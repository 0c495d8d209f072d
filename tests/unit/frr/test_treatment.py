"""What is announced already and is treated otherwise from now on is announced again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.frr.model import Advertisement, BgpConfig
from lab.frr.node import node_tree
from lab.frr.treatment import announced_anew

from .configs import OTHER_VIP, PLAIN, RICH, VIP

MARKED = Advertisement(VIP, communities=frozenset({"64512:100"}))
ANEW = ["clear bgp ipv4 unicast 192.168.1.1 soft out"]


def with_them(*advertisements: Advertisement) -> BgpConfig:
    return replace(PLAIN, advertisements=advertisements)


@pytest.mark.parametrize(
    ("before", "after", "commands"),
    [
        pytest.param(PLAIN, PLAIN, [], id="nothing changes"),
        pytest.param(PLAIN, with_them(MARKED), ANEW, id="a community comes"),
        pytest.param(with_them(MARKED), PLAIN, ANEW, id="a community goes"),
        pytest.param(
            with_them(MARKED),
            with_them(replace(MARKED, local_preference=150)),
            ANEW,
            id="a preference comes",
        ),
        pytest.param(
            PLAIN,
            with_them(Advertisement(VIP), replace(MARKED, prefix=OTHER_VIP)),
            [],
            id="another prefix comes with a community",
        ),
        pytest.param(with_them(MARKED), with_them(), [], id="it goes altogether"),
        pytest.param(
            with_them(Advertisement(VIP, neighbors=frozenset())), PLAIN, ANEW, id="now it is heard"
        ),
        pytest.param(PLAIN, replace(PLAIN, origin="incomplete"), ANEW, id="another origin for all"),
    ],
)
def test_only_what_is_announced_and_treated_otherwise(
    before: BgpConfig, after: BgpConfig, commands: list[str]
) -> None:
    assert announced_anew(node_tree(after), node_tree(before)) == commands


def test_each_neighbor_and_family_by_itself() -> None:
    plain = tuple(Advertisement(one.prefix, neighbors=one.neighbors) for one in RICH.advertisements)
    assert announced_anew(node_tree(replace(RICH, advertisements=plain)), node_tree(RICH)) == [
        "clear bgp ipv4 unicast 192.168.1.1 soft out",
        "clear bgp ipv4 unicast 192.168.1.2 soft out",
        "clear bgp ipv4 unicast 2001:db8:1::1 soft out",
        "clear bgp ipv6 unicast 2001:db8:1::1 soft out",
    ]


def test_the_order_in_which_frr_lists_what_is_set_changes_nothing() -> None:
    wanted = node_tree(replace(with_them(MARKED), origin="incomplete"))
    running = {
        path: tuple(reversed(lines)) if path and path[0].startswith("route-map to-") else lines
        for path, lines in wanted.items()
    }
    assert announced_anew(wanted, running) == []
