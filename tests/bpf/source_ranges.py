"""Source ranges of services, entered as the agent does."""

from __future__ import annotations

from ipaddress import ip_network

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import SourceRange
from lab.bpf.layout import packed

from .rig import Rig


def listed(rig: Rig, index: int, network: str, policy: SourceRange) -> None:
    """What `policy` says of a network, to the service of a rev_nat_index."""
    prefix = ip_network(network)
    key = s.lb4_src_range_key if prefix.version == 4 else s.lb6_src_range_key
    rig.map(t.SOURCE_RANGE if prefix.version == 4 else t.SOURCE_RANGE6).update(
        key(
            prefixlen=32 + prefix.prefixlen,
            rev_nat_id=index,
            addr=packed(prefix.network_address),
        ),
        t.Listed(policy),
    )
