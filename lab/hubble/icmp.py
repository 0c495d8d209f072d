"""Names of ICMP types and codes (IANA registries), written as Hubble writes them.

"EchoRequest", "DestinationUnreachable(Port)"; an unknown code as "Type(Code: 9)", an unknown
type as "type(code)" in numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

_Names = Mapping[int, tuple[str, tuple[str, ...]]]

V4: _Names = {
    0: ("EchoReply", ()),
    3: (
        "DestinationUnreachable",
        (
            "Net",
            "Host",
            "Protocol",
            "Port",
            "FragmentationNeeded",
            "SourceRoutingFailed",
            "NetUnknown",
            "HostUnknown",
            "SourceIsolated",
            "NetAdminProhibited",
            "HostAdminProhibited",
            "NetTOS",
            "HostTOS",
            "CommAdminProhibited",
            "HostPrecedence",
            "PrecedenceCutoff",
        ),
    ),
    4: ("SourceQuench", ()),
    5: ("Redirect", ("Net", "Host", "TOS+Net", "TOS+Host")),
    8: ("EchoRequest", ()),
    9: ("RouterAdvertisement", ()),
    10: ("RouterSolicitation", ()),
    11: ("TimeExceeded", ("TTLExceeded", "FragmentReassemblyTimeExceeded")),
    12: ("ParameterProblem", ("PointerIndicatesError", "MissingOption", "BadLength")),
    13: ("TimestampRequest", ()),
    14: ("TimestampReply", ()),
    15: ("InfoRequest", ()),
    16: ("InfoReply", ()),
    17: ("AddressMaskRequest", ()),
    18: ("AddressMaskReply", ()),
}

V6: _Names = {
    1: (
        "DestinationUnreachable",
        (
            "NoRouteToDst",
            "AdminProhibited",
            "BeyondScopeOfSrc",
            "AddressUnreachable",
            "PortUnreachable",
            "SrcAddressFailedPolicy",
            "RejectRouteToDst",
        ),
    ),
    2: ("PacketTooBig", ()),
    3: ("TimeExceeded", ("HopLimitExceeded", "FragmentReassemblyTimeExceeded")),
    4: (
        "ParameterProblem",
        ("ErroneousHeader", "UnrecognizedNextHeader", "UnrecognizedIPv6Option"),
    ),
    128: ("EchoRequest", ()),
    129: ("EchoReply", ()),
    133: ("RouterSolicitation", ()),
    134: ("RouterAdvertisement", ()),
    135: ("NeighborSolicitation", ()),
    136: ("NeighborAdvertisement", ()),
    137: ("Redirect", ()),
}


def type_code_v4(detail: int) -> str:
    """Text of type * 256 + code of an ICMP message."""
    return _text(V4, detail)


def type_code_v6(detail: int) -> str:
    """Text of type * 256 + code of an ICMPv6 message."""
    return _text(V6, detail)


def type_name(names: _Names, kind: int) -> str:
    """The type alone, its number when it has no name."""
    return names[kind][0] if kind in names else str(kind)


def _text(names: _Names, detail: int) -> str:
    kind, code = divmod(detail, 256)
    if kind not in names:
        return f"{kind}({code})"
    name, codes = names[kind]
    if not codes and not code:
        return name
    return f"{name}({codes[code]})" if code < len(codes) else f"{name}(Code: {code})"
