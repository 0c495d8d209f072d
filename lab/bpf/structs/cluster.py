"""Who and where an address is."""

# The names are the C structs' own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_uint8, c_uint16, c_uint32

from lab.bpf.layout import Address, Layout, Network, addr6, be32, family_of, mac, wide


class ipcache_key(Layout):
    """LPM key of `cilium_ipcache`: prefixlen counts the 32 bits in front of the address too."""

    _pack_ = 1
    _fields_ = [
        ("prefixlen", c_uint32),
        ("cluster_id", c_uint16),
        ("pad1", c_uint8),
        ("family", c_uint8),
        ("ip", addr6),
    ]

    @classmethod
    def of(cls, network: Network) -> ipcache_key:
        return cls(
            prefixlen=32 + network.prefixlen,
            family=family_of(network),
            ip=wide(network.network_address),
        )


class remote_endpoint_info(Layout):
    """Who an address is: identity, and the node that tunnels to it (0.0.0.0: no tunnel)."""

    _fields_ = [
        ("sec_label", c_uint32),
        ("tunnel_endpoint", be32),
        ("pad", c_uint16),
        ("key", c_uint8),
        ("flags", c_uint8),
    ]


class endpoint_key(Layout):
    """Key of `cilium_lxc`: an address on this node."""

    _pack_ = 1
    _fields_ = [("ip", addr6), ("family", c_uint8), ("key", c_uint8), ("cluster_id", c_uint16)]

    @classmethod
    def of(cls, address: Address) -> endpoint_key:
        return cls(ip=wide(address), family=family_of(address))


class endpoint_info(Layout):
    """A pod of this node, or (flag HOST, ifindex 0) an address of the node itself.

    `ifindex` is the node's end of the pod's veth, `mac` the pod's end, `node_mac` the node's end.
    """

    _fields_ = [
        ("ifindex", c_uint32),
        ("unused", c_uint16),
        ("lxc_id", c_uint16),
        ("flags", c_uint32),
        ("pad1", c_uint32),
        ("mac", mac),
        ("node_mac", mac),
        ("sec_id", c_uint32),
        ("parent_ifindex", c_uint32),
        ("pad", c_uint32 * 2),
    ]
