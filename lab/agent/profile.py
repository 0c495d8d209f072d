"""What differs between the Cilium of the article and a current one, as values.

A profile is chosen for a whole lab; options of the lab override single values. The datapath has
switches of its own; here is only what the agent decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from lab.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """Load balancing as one generation of Cilium does it."""

    name: str
    maglev: bool
    """Backends of north-south traffic by Maglev's table; else at random."""
    wildcards: bool
    """An entry for port 0 of each VIP, so that unlisted ports are dropped (since 1.19)."""
    terminating: bool
    """Backends that terminate keep their connections and serve when nothing else is left."""
    ends_stale_sockets: bool
    """The node's UDP sockets whose backend is gone are ended (since 1.14)."""
    protocol_in_key: bool
    """The service map's key tells TCP from UDP."""
    announces_empty: bool
    """VIPs of services without endpoints are announced under externalTrafficPolicy Cluster."""
    cilium_bgp: bool
    """Cilium's own BGP resources are heeded, before MetalLB's ConfigMap."""
    maglev_size: int = 16381
    tunnel: bool = True
    """VXLAN between the nodes; without, the nodes route each other's pod networks."""
    dsr: frozenset[str] = frozenset()
    """Protocols whose replies go from the backend straight to the client."""
    native_xdp: bool = False
    """What is for other nodes' pods turns around in the uplink's driver."""


_PROFILES = {
    "cilium-1.10": Profile(
        name="cilium-1.10",
        maglev=False,
        wildcards=False,
        terminating=False,
        ends_stale_sockets=False,
        protocol_in_key=True,
        announces_empty=False,
        cilium_bgp=False,
    ),
    "modern": Profile(
        name="modern",
        maglev=True,
        wildcards=True,
        terminating=True,
        ends_stale_sockets=True,
        protocol_in_key=True,
        announces_empty=True,
        cilium_bgp=True,
    ),
}

_MODES = {
    "snat": frozenset[str](),
    "dsr": frozenset({"TCP", "UDP"}),
    "hybrid": frozenset({"TCP"}),
}
_ACCELERATIONS = {"disabled": False, "native": True}
_ALGORITHMS = {"random": False, "maglev": True}


def profile(name: str, options: Mapping[str, str]) -> Profile:
    """The profile of that name with the options `mode`, `acceleration`, `algorithm` and
    `maglev_size` applied.

    InputError lists what there is when a name or a value is unknown.
    """
    found = _choice("profile", name, _PROFILES)
    if "mode" in options:
        dsr = _choice("mode", options["mode"], _MODES)
        # The client's packet reaches the backend as it is: an IP option has no place in VXLAN.
        found = replace(found, dsr=dsr, tunnel=not dsr)
    if "acceleration" in options:
        native = _choice("acceleration", options["acceleration"], _ACCELERATIONS)
        found = replace(found, native_xdp=native)
    if "algorithm" in options:
        found = replace(found, maglev=_choice("algorithm", options["algorithm"], _ALGORITHMS))
    if "maglev_size" in options:
        found = replace(found, maglev_size=_prime(options["maglev_size"]))
    return found


def _choice(what: str, name: str, values: Mapping[str, T]) -> T:
    if name not in values:
        raise InputError(f"no {what} {name!r}; there are {', '.join(sorted(values))}")
    return values[name]


def _prime(text: str) -> int:
    size = int(text) if text.isdigit() else 0
    if size < 251 or size > 131071 or any(size % n == 0 for n in range(2, int(size**0.5) + 1)):
        raise InputError(f"maglev_size {text!r} is no prime between 251 and 131071")
    return size
