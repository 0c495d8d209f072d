"""The command line of `hubble`, with the flags of the public command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from lab.hubble.cli import connection, filter_flags, times
from lab.hubble.cli.filter_flags import FlowFilters
from lab.hubble.cli.printer import OUTPUTS
from lab.hubble.cli.texts import GENERATIONS

FILTER_HELP = {
    "uuid": "the flow with this id",
    "node-name": 'seen on nodes of this name, e.g. "k8s-worker*"',
    "node-label": "seen on nodes with these labels",
    "protocol": "tcp, udp, sctp, icmp, icmpv4, icmpv6, dns or http",
    "tcp-flags": 'with all these TCP flags, e.g. "syn,ack"',
    "type": "of this event type, TYPE[:SUBTYPE]: trace[:to-endpoint ...], drop, policy-verdict,"
    " capture, l7",
    "verdict": "FORWARDED, DROPPED, AUDIT, REDIRECTED, ERROR, TRACED or TRANSLATED",
    "drop-reason-desc": 'dropped for this reason, e.g. "SERVICE_BACKEND_NOT_FOUND"',
    "ip-version": "v4, v6 or none",
    "traffic-direction": "ingress or egress, as seen from the local pod",
    "snat-ip": "translated to this source address or CIDR",
    "interface": "seen on this network interface",
    "trace-id": "of this distributed trace",
    "http-status": 'answered with this status, e.g. "404" or "5+"',
    "http-method": "HTTP requests with this method",
    "http-path": "HTTP requests whose path matches this regular expression",
    "http-url": "HTTP requests whose URL matches this regular expression",
    "http-header": "HTTP messages with this header, name:value",
    "cel-expression": "for which this CEL expression over _flow is true",
    "ip": "this address or CIDR",
    "pod": "this pod name prefix, [namespace/]name",
    "fqdn": 'this DNS name, e.g. "*.cilium.io"',
    "label": 'these labels, e.g. "app=web" or "reserved:world"',
    "service": "this service name prefix, [namespace/]name",
    "port": "this port",
    "cluster": "this cluster",
    "workload": "this workload, [kind/]name",
    "identity": "this security identity, a number or a reserved name",
    "namespace": "this namespace",
}

SHORT = {"type": "-t", "namespace": "-n", "label": "-l", "ipv4": "-4", "ipv6": "-6"}


class AddFilter(argparse.Action):
    """Collects the filter flags in their order: --not is about the flag after it."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        if namespace.filters is None:
            namespace.filters = FlowFilters()
        namespace.filters.add(self.dest, values if isinstance(values, str) else "")


class Help(argparse.RawDescriptionHelpFormatter):
    """Wide enough for the flags' names."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def add_selectors(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("selectors")
    group.add_argument("--all", action="store_true", help="everything that is stored")
    group.add_argument("--first", type=_count, default=0, metavar="N", help="the oldest N")
    group.add_argument(
        "--last",
        type=_count,
        default=0,
        metavar="N",
        help="the newest N (default 20), of each node",
    )
    group.add_argument("-f", "--follow", action="store_true", help="and what happens from now on")
    when = "a time ago (30s, 5m, 1h30m) or RFC 3339"
    group.add_argument("--since", default="", metavar="TIME", help=f"not before: {when}")
    group.add_argument("--until", default="", metavar="TIME", help=f"not after: {when}")


def add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "filters", "values of one flag are alternatives, different flags are conditions"
    )
    parser.set_defaults(filters=None)
    group.add_argument("--not", dest="not", action=AddFilter, nargs=0, help="reverse the next flag")
    for flag in (*filter_flags.NAMESPACES[:1], *filter_flags.SIDED_FIELDS):
        _add_filter(group, flag, f"from or to {FILTER_HELP[flag]}")
        for side in ("from", "to"):
            _add_filter(group, f"{side}-{flag}", f"{side} {FILTER_HELP[flag]}")
    for flag in (*filter_flags.TEXT_FIELDS, *filter_flags.OTHER_FLAGS):
        _add_filter(group, flag, FILTER_HELP[flag])
    switches = {
        "all-namespaces": "from or to any pod",
        "from-all-namespaces": "from any pod",
        "to-all-namespaces": "to any pod",
        "ipv4": "IPv4 only",
        "ipv6": "IPv6 only",
        "encrypted": "encrypted only",
        "unencrypted": "unencrypted only",
    }
    for flag, text in switches.items():
        names = [SHORT[flag]] if flag in SHORT else ["-A"] if flag == "all-namespaces" else []
        group.add_argument(*names, f"--{flag}", dest=flag, action=AddFilter, nargs=0, help=text)
    raw = parser.add_argument_group("raw filters")
    for name in ("allowlist", "denylist"):
        raw.add_argument(
            f"--{name}", action="append", default=[], metavar="JSON", help="FlowFilters as JSON"
        )
    raw.add_argument(
        "--print-raw-filters", action="store_true", help="print the filters as JSON and stop"
    )


def add_formatting(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("formatting")
    group.add_argument(
        "-o",
        "--output",
        type=lambda text: {"JSON": "json", "tab": "table"}.get(text, text),
        choices=OUTPUTS,
        default="compact",
        help="(default: %(default)s)",
    )
    group.add_argument("--print-node-name", action="store_true", help="the node, too")
    group.add_argument(
        "--time-format",
        choices=times.FORMATS,
        default="StampMilli",
        metavar="NAME",
        help=f"{', '.join(times.FORMATS)} (default: %(default)s)",
    )


def add_flow_formatting(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("flow format")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    group.add_argument(
        "--ip-translation",
        type=_boolean,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="names instead of addresses (default: true)",
    )
    group.add_argument("--numeric", action="store_true", help="addresses only")
    group.add_argument(
        "--text",
        choices=("auto", *GENERATIONS),
        default="auto",
        help="generation of the text: 0.8 as in the time of Cilium 1.10, current as today"
        " (default: what fits the server)",
    )
    other = parser.add_argument_group("other")
    other.add_argument(
        "--input-file",
        default="",
        metavar="FILE",
        help='flows in JSON instead of a server, "-" stdin',
    )
    other.add_argument(
        "-s", "--silent-errors", action="store_true", help="no news of nodes on stderr"
    )
    other.add_argument("--experimental-field-mask", action="append", default=[], metavar="FIELDS")
    other.add_argument("--experimental-use-default-field-masks", action="store_true")


def command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
    *,
    aliases: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """A subcommand that calls `run`, with the flags about the server."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, formatter_class=Help, aliases=aliases, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    connection.add_arguments(parser)
    add_debug(parser)
    return parser


def add_debug(parser: argparse.ArgumentParser, *, default: Any = argparse.SUPPRESS) -> None:
    parser.add_argument(
        "-D", "--debug", action="store_true", default=default, help="news of nodes, too"
    )


def _add_filter(group: Any, flag: str, text: str) -> None:
    names = [SHORT[flag]] if flag in SHORT else []
    group.add_argument(*names, f"--{flag}", dest=flag, action=AddFilter, metavar="X", help=text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of flows")
    return int(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r}: want true or false")
    return text.lower() in ("true", "1")
