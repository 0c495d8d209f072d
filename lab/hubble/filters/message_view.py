"""A Flow message as filters look at flows: for those that come from files."""

from __future__ import annotations

from functools import cached_property, lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from lab.hubble import codes
from lab.hubble.api import flow_pb2
from lab.hubble.lookup import Endpoint, Service, Workload

_PROTOCOLS = {
    "TCP": codes.TCP,
    "UDP": codes.UDP,
    "SCTP": codes.SCTP,
    "ICMPv4": codes.ICMP,
    "ICMPv6": codes.ICMPV6,
}
_IP_VERSIONS = {flow_pb2.IPv4: 4, flow_pb2.IPv6: 6}


class MessageView:
    """Answers a filter's questions from a message; what the message lacks is empty."""

    def __init__(self, message: flow_pb2.Flow) -> None:
        self.message = message
        self.kind: int = message.event_type.type
        self.subtype: int = message.event_type.sub_type
        self.verdict: int = message.verdict
        self.reason: int = message.drop_reason_desc or message.drop_reason
        self.direction: int = message.traffic_direction
        self.encrypted: bool = message.IP.encrypted
        self.interface: int = message.interface.index
        self.ip_version = _IP_VERSIONS.get(message.IP.ipVersion, 0)
        self.source_names = tuple(message.source_names)
        self.destination_names = tuple(message.destination_names)
        self.dns_query: str = message.l7.dns.query
        self.trace_id: str = message.trace_context.parent.trace_id
        self.l7_protocol: str = message.l7.WhichOneof("record") or ""

    @property
    def is_reply(self) -> bool | None:
        return self.message.is_reply.value if self.message.HasField("is_reply") else None

    @cached_property
    def protocol(self) -> int:
        return _PROTOCOLS.get(self.message.l4.WhichOneof("protocol") or "", 0)

    @property
    def has_ports(self) -> bool:
        return self.protocol in (codes.TCP, codes.UDP, codes.SCTP)

    @property
    def source_port(self) -> int:
        return self._ports[0]

    @property
    def destination_port(self) -> int:
        return self._ports[1]

    @property
    def detail(self) -> int:
        """TCP flags or ICMP type and code, as in packet.Headers."""
        layer = self.message.l4
        if self.protocol == codes.TCP:
            flags = layer.TCP.flags
            return sum(bit for name, bit in codes.TCP_FLAGS if getattr(flags, name))
        icmp = layer.ICMPv4 if self.protocol == codes.ICMP else layer.ICMPv6
        return icmp.type * 256 + icmp.code

    @property
    def source_address(self) -> bytes:
        return _packed(self.message.IP.source)

    @property
    def destination_address(self) -> bytes:
        return _packed(self.message.IP.destination)

    @property
    def translated_source(self) -> bytes:
        return _packed(self.message.IP.source_xlated)

    @property
    def source(self) -> Endpoint:
        return _endpoint(self.message.source.SerializeToString())

    @property
    def destination(self) -> Endpoint:
        return _endpoint(self.message.destination.SerializeToString())

    @property
    def source_service(self) -> Service | None:
        return _service(self.message.source_service)

    @property
    def destination_service(self) -> Service | None:
        return _service(self.message.destination_service)

    @property
    def http_status(self) -> str:
        return str(self.message.l7.http.code or "")

    @property
    def http_method(self) -> str:
        return str(self.message.l7.http.method)

    @property
    def http_url(self) -> str:
        return str(self.message.l7.http.url)

    @property
    def http_path(self) -> str:
        try:
            return urlsplit(self.http_url).path
        except ValueError:
            return ""

    @property
    def http_headers(self) -> frozenset[tuple[str, str]]:
        return frozenset((each.key.lower(), each.value) for each in self.message.l7.http.headers)

    @cached_property
    def _ports(self) -> tuple[int, int]:
        name = self.message.l4.WhichOneof("protocol")
        if not self.has_ports or name is None:
            return 0, 0
        layer = getattr(self.message.l4, name)
        return layer.source_port, layer.destination_port


def _packed(address: str) -> bytes:
    try:
        return ip_address(address).packed
    except ValueError:
        return b""


@lru_cache(maxsize=4096)
def _endpoint(packed: bytes) -> Endpoint:
    """The endpoint of a serialized message: a few endpoints make all the flows."""
    message = flow_pb2.Endpoint.FromString(packed)
    return Endpoint(
        identity=message.identity,
        id=message.ID,
        namespace=message.namespace,
        pod=message.pod_name,
        labels=tuple(message.labels),
        workloads=tuple(Workload(each.name, each.kind) for each in message.workloads),
    )


def _service(message: flow_pb2.Service) -> Service | None:
    return Service(message.namespace, message.name) if message.name else None
