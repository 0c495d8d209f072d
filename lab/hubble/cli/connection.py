"""Where the command finds its server, and how it speaks to it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from lab.errors import InputError, LabError
from lab.hubble.cli import settings

_WORDS = {
    grpc.StatusCode.UNAVAILABLE: "does not answer",
    grpc.StatusCode.DEADLINE_EXCEEDED: "did not answer in time",
}

_OTHER_SERVER = "name another with --server or HUBBLE_SERVER"
_ADVICE = f"see whether the relay runs: kubectl -n kube-system get pods; or {_OTHER_SERVER}"


class ServerError(LabError):
    """The server cannot be reached or refused the request."""


def add_arguments(parser: argparse.ArgumentParser, *, defaults: bool = False) -> None:
    """The flags about the server. One parser gives the defaults, the others leave them alone."""
    group = parser.add_argument_group("server")

    def add(flag: str, metavar: str, text: str) -> None:
        default = settings.setting(flag) if defaults else argparse.SUPPRESS
        words = text.replace("%", "%%")  # argparse would take it for a place to fill
        group.add_argument(f"--{flag}", default=default, metavar=metavar, help=words)

    add(
        "server",
        "ADDRESS",
        f"host:port or unix:///path of a relay or a node's agent ({settings.described('server')})",
    )
    add("timeout", "DURATION", f"for connecting ({settings.described('timeout')})")
    add(
        "request-timeout",
        "DURATION",
        f"for what is no stream ({settings.described('request-timeout')})",
    )
    group.add_argument(
        "--tls",
        action="store_true",
        default=settings.setting("tls") == "true" if defaults else argparse.SUPPRESS,
        help="speak TLS; so does tls:// in --server",
    )
    add("tls-ca-cert-files", "FILES", "comma-separated")
    add("tls-client-cert-file", "FILE", "")
    add("tls-client-key-file", "FILE", "")
    add("tls-server-name", "NAME", "")
    group.add_argument(
        "-P",
        "--port-forward",
        action="store_true",
        default=False if defaults else argparse.SUPPRESS,
        help="nothing to do here: localhost:4245 leads to the relay already",
    )


@contextmanager
def connect(options: argparse.Namespace, timeout: float) -> Iterator[grpc.Channel]:
    """A channel that is connected; ServerError when that takes longer than `timeout` seconds.

    Errors of calls inside the block are turned into ServerError, too.
    """
    target = options.server.removeprefix("tls://")
    credentials = _credentials(options)
    channel_options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0)]
    if options.tls_server_name:
        channel_options.append(("grpc.ssl_target_name_override", options.tls_server_name))
    if credentials is None:
        channel = grpc.insecure_channel(target, channel_options)
    else:
        channel = grpc.secure_channel(target, credentials, channel_options)
    with channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=timeout)
            yield channel
        except grpc.FutureTimeoutError as exc:
            raise ServerError(
                f"no Hubble server answers at {options.server} within {timeout:g} s\n"
                f"  {_ADVICE if options.server == settings.DEFAULTS['server'] else _OTHER_SERVER}"
            ) from exc
        except grpc.RpcError as exc:
            raise explained(exc, options.server) from exc


def explained(error: grpc.RpcError, server: str) -> ServerError:
    """A failed call in words."""
    code, details = error.code(), error.details() or ""
    if code in _WORDS:
        return ServerError(f"the Hubble server at {server} {_WORDS[code]}: {details}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(
            f"the Hubble server at {server} does not serve this\n"
            "  a relay has flows only: ask a node's agent, on the node or with --server NODE:4244"
        )
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN):
        return ServerError(details)
    return ServerError(f"{details} ({code.name.lower().replace('_', ' ')})")


def _credentials(options: argparse.Namespace) -> Any:
    """Credentials for TLS, None when it was not asked for."""
    wanted = (
        options.tls
        or options.server.startswith("tls://")
        or options.tls_ca_cert_files
        or options.tls_client_cert_file
    )
    if not wanted:
        return None
    roots = b"".join(_read(name) for name in options.tls_ca_cert_files.split(",") if name)
    key, chain = options.tls_client_key_file, options.tls_client_cert_file
    if bool(key) != bool(chain):
        raise InputError("--tls-client-cert-file and --tls-client-key-file belong together")
    return grpc.ssl_channel_credentials(
        roots or None, _read(key) if key else None, _read(chain) if chain else None
    )


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise InputError(f"cannot read {name}: {exc.strerror}") from exc
