"""From a running configuration to the wanted one: no command too many, no session reset."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.errors import InputError
from lab.frr.model import Advertisement, Bfd, BgpConfig, GracefulRestart, Neighbor
from lab.frr.node import node_tree
from lab.frr.speaker import plan_changes, renegotiated
from lab.frr.tree import Tree, parse, text

from .configs import OTHER_VIP, PLAIN, RICH, ROUTER, SECOND, VIP

BGP = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"
LEAVE = ["exit-address-family", "exit"]

RUNNING = """\
frr version 8.4.4
frr defaults traditional
!
hostname k8s-worker1
! "log file /etc/frr/bgpd.log debugging" enabled by "--log" startup option
!
bgp route-map delay-timer 0
router bgp 64512
 bgp router-id 192.168.1.21
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 coalesce-time 0
 no bgp network import-check
 neighbor 192.168.1.1 remote-as 64512
 neighbor 192.168.1.1 timers 30 90
 neighbor 192.168.1.1 timers connect 1
 !
 address-family ipv4 unicast
  network 172.16.10.0/32
  neighbor 192.168.1.1 activate
  neighbor 192.168.1.1 prefix-list leaving out
  neighbor 192.168.1.1 route-map nothing in
  neighbor 192.168.1.1 route-map to-192.168.1.1 out
 exit-address-family
!
exit
!
ip prefix-list leaving seq 4294967295 permit any
ip prefix-list somebody-elses seq 5 permit any
!
!
route-map to-192.168.1.1 permit 65535
exit
!
route-map nothing deny 10
exit
!
route-map somebody-elses permit 10
exit
!
"""
"""What bgpd 8.4.4 answered to `show running-config`, with two things that an operator added."""


def changes(wanted: BgpConfig, running: str | BgpConfig = RUNNING) -> list[list[str]]:
    tree: Tree = parse(running) if isinstance(running, str) else node_tree(running)
    return plan_changes(node_tree(wanted), tree, "bgpd")


def test_what_runs_already_needs_nothing() -> None:
    assert changes(PLAIN) == []
    assert changes(RICH, RICH) == []


def test_a_vip_more_is_one_line() -> None:
    more = replace(PLAIN, advertisements=(*PLAIN.advertisements, Advertisement(OTHER_VIP)))
    assert changes(more) == [[BGP, IPV4, "network 172.16.10.1/32", *LEAVE]]


def test_a_vip_less_is_one_line() -> None:
    assert changes(replace(PLAIN, advertisements=())) == [
        [BGP, IPV4, "no network 172.16.10.0/32", *LEAVE]
    ]


def test_attributes_come_with_their_prefix_and_touch_no_other() -> None:
    special = Advertisement(OTHER_VIP, local_preference=200)
    (commands,) = changes(replace(PLAIN, advertisements=(*PLAIN.advertisements, special)))
    assert not [command for command in commands if command.startswith("no ")]
    assert "set local-preference 200" in commands
    assert not [command for command in commands if "neighbor" in command]


def test_a_treatment_more_leaves_the_others_where_they_are() -> None:
    first = replace(PLAIN, advertisements=(Advertisement(VIP, local_preference=200),))
    for preference in (100, 300):
        second = Advertisement(OTHER_VIP, local_preference=preference)
        both = replace(first, advertisements=(*first.advertisements, second))
        (commands,) = changes(both, first)
        assert not [command for command in commands if command.startswith("no ")]


def test_the_first_configuration_dials_in_its_last_step() -> None:
    prepare, dial = changes(PLAIN, "frr version 8.4.4\nhostname k8s-worker1\n")
    assert "neighbor 192.168.1.1 remote-as 64512" in prepare
    assert not [line for line in prepare if "activate" in line or "timers connect" in line]
    assert dial == [
        *[BGP, "neighbor 192.168.1.1 timers connect 1", "exit"],
        *[BGP, IPV4, "neighbor 192.168.1.1 activate", *LEAVE],
    ]
    assert sum(len(command) + 1 for command in dial) < 500, "bgpd reads 512 bytes at a time"


def test_a_neighbor_goes_with_its_last_line() -> None:
    two = replace(PLAIN, neighbors=(*PLAIN.neighbors, Neighbor(SECOND, 64512)))
    (commands,) = changes(PLAIN, two)
    family = commands.index("no neighbor 192.168.1.2 activate")
    assert family < commands.index("no neighbor 192.168.1.2 remote-as 64512")
    assert not [command for command in commands if str(ROUTER) in command]


def test_another_as_number_makes_a_new_instance() -> None:
    other = replace(PLAIN, asn=64999)
    first, *_ = changes(other)
    assert first[0] == "no router bgp 64512"
    assert "router bgp 64999" in first


def test_without_neighbors_nothing_of_bgp_is_left_and_what_is_not_ours_stays() -> None:
    ((*commands,),) = changes(replace(PLAIN, neighbors=()))
    assert "no router bgp 64512" in commands
    assert "no route-map to-192.168.1.1 permit 65535" in commands
    assert not [command for command in commands if "somebody" in command]


def test_what_an_operator_or_a_newer_frr_adds_to_our_section_stays() -> None:
    added = " bgp log-neighbor-changes\n no bgp hard-administrative-reset\n !\n address-family"
    assert changes(PLAIN, RUNNING.replace(" !\n address-family", added)) == []


def test_a_bfd_profile_is_the_business_of_bfdd_alone() -> None:
    profile = "profile 5x50-echo80-passive-ttl253"
    assert profile not in [line for step in changes(RICH, "") for line in step]
    (commands,) = plan_changes(node_tree(RICH), {}, "bfdd")
    assert commands[:2] == ["bfd", "exit"]
    assert commands[commands.index(profile) + 1] == "detect-multiplier 5"


def test_a_password_that_frr_cannot_read_is_refused() -> None:
    peer = replace(PLAIN.neighbors[0], password="two words")
    with pytest.raises(InputError, match=r"neighbor 192\.168\.1\.1: the password"):
        node_tree(replace(PLAIN, neighbors=(peer,)))


def test_a_prefix_is_announced_once_whoever_asks() -> None:
    aggregate = Advertisement(IPv4Network("172.16.10.0/24"))
    tree = node_tree(replace(PLAIN, advertisements=(aggregate, aggregate)))
    assert text(tree).count("network 172.16.10.0/24") == 1


def test_comments_of_frr_are_no_configuration() -> None:
    """bgpd started with `--log` explains itself in `show running-config`."""
    running = (
        '! use "clear log cmdline-targets" to remove this target\nlog syslog informational\n!\n'
    )
    assert parse(running) == {(): ("log syslog informational",)}


def other_session(**fields: Any) -> BgpConfig:
    return replace(PLAIN, neighbors=(replace(PLAIN.neighbors[0], **fields),))


@pytest.mark.parametrize(
    "changed",
    [
        other_session(hold=9, keepalive=3),
        other_session(port=1179),
        other_session(graceful_restart=True),
        replace(PLAIN, graceful_restart=GracefulRestart()),
    ],
)
def test_a_session_whose_terms_change_begins_anew(changed: BgpConfig) -> None:
    assert renegotiated(node_tree(changed), parse(RUNNING)) == [str(ROUTER)]


@pytest.mark.parametrize(
    "changed",
    [
        PLAIN,
        other_session(connect_retry=5),
        other_session(bfd=Bfd(3, 50)),
        replace(PLAIN, advertisements=(), origin="incomplete"),
        replace(PLAIN, neighbors=()),
    ],
)
def test_a_session_lives_on_when_its_terms_stay(changed: BgpConfig) -> None:
    assert renegotiated(node_tree(changed), parse(RUNNING)) == []


def test_a_new_session_needs_no_second_begin() -> None:
    assert renegotiated(node_tree(PLAIN), {}) == []


def test_ipv6_routes_name_the_node_s_own_address_on_ipv6_sessions_alone() -> None:
    six = Neighbor(IPv6Address("2001:db8:1::1"), 64512, families=(6,))
    special = Advertisement(IPv6Network("2001:db8:172::/128"), local_preference=200)
    own = IPv6Address("2001:db8:1::22")
    config = replace(PLAIN, neighbors=(*PLAIN.neighbors, six), advertisements=(special,))
    tree = node_tree(replace(config, address6=own))
    maps = {path[0]: lines for path, lines in tree.items() if path[:1] and "to-" in path[0]}
    assert len(maps) > 2
    for name, lines in maps.items():
        assert (f"set ipv6 next-hop global {own}" in lines) == (str(six.address) in name), name


def test_the_speaker_s_origin_and_preference_are_on_every_route() -> None:
    special = Advertisement(OTHER_VIP, local_preference=200)
    silent = Advertisement(VIP, neighbors=frozenset())
    config = replace(PLAIN, origin="incomplete", advertisements=(special, silent))
    tree = node_tree(replace(config, local_preference=0))
    maps = {path[0]: lines for path, lines in tree.items() if path[:1] and "to-" in path[0]}
    assert "bgp default local-preference 0" in tree["router bgp 64512",]
    for name, lines in maps.items():
        assert ("set origin incomplete" in lines) == (" permit " in name), name
