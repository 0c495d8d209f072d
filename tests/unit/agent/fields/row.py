"""A field of a resource that configures BGP: its value, what becomes of it, and on which node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from itertools import pairwise
from typing import Any, NamedTuple

from lab.agent.bgp.announce import Announced
from lab.agent.bgp.facts import Facts, pool_of
from lab.agent.services.model import Kind
from lab.frr.model import BgpConfig
from tests.unit.agent.objects import service

Json = dict[str, Any]
ROUTER = "192.168.1.1"
VIPS = [
    Announced(IPv4Address("172.16.10.5"), service(labels={"app": "web"}), False),
    Announced(IPv4Address("10.96.0.7"), service(), False, Kind.CLUSTER_IP),
    Announced(IPv4Address("203.0.113.7"), service(), False, Kind.EXTERNAL_IPS),
    Announced(IPv6Address("2001:db8:172::7"), service(), False),
]
EVERYTHING: Json = {"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}


@dataclass(frozen=True)
class Row:
    """A field's path, its value, and what becomes of it."""

    field: str
    value: Any
    frr: tuple[str, ...] = ()
    refused: str = ""
    without: tuple[str, ...] = ()
    """Lines that the field takes away."""


def row(field: str, value: Any, *frr: str, **more: Any) -> Row:
    return Row(field, value, frr, **more)


class Table(NamedTuple):
    """Rows for one kind of object."""

    compose: Callable[[Json], BgpConfig]
    base: Json
    """The object without the rows' fields."""
    rows: Sequence[Row]


def placed(base: Json, path: str, value: Any) -> Json:
    """A copy of an object with a value at a path such as `peers.0.hold-time`."""
    made = deepcopy(base)
    place: Any = made
    *_, last = path.split(".")
    for step, following in pairwise(path.split(".")):
        if step.isdigit():
            while len(place) <= int(step):
                place.append({})
            place = place[int(step)]
        else:
            place = place.setdefault(step, [] if following.isdigit() else {})
    if isinstance(place, list):
        place.append(value)
    else:
        place[last] = value
    return made


def facts(**more: Any) -> Facts:
    pools = [pool_of({"pool": "x"}, {"blocks": [{"cidr": "172.16.10.0/24"}]})]
    given: Json = {"labels": {"rack": "a"}, "services": VIPS, "pools": pools}
    given |= {"passwords": {"md5": "s3cret"}, "gateway": IPv4Address("192.168.1.254"), **more}
    return Facts("n1", IPv4Address("192.168.1.21"), [IPv4Network("10.0.1.0/24")], **given)


N = f"neighbor {ROUTER}"
NO_POOLS = "the lab has no pools of pod addresses"
