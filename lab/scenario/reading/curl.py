"""What an HTTP client met, read from curl."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUS = re.compile(r"^< HTTP/[\d.]+ (\d{3})", re.MULTILINE)
_HEADER = re.compile(r"^< ([\w-]+): (.*?)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Response:
    """An HTTP response as `curl -v` tells it. `status` is 0 when none came."""

    status: int
    server: str
    length: int


def from_verbose(text: str) -> Response:
    """Read the lines that start with `<` in the output of `curl -v`."""
    status = _STATUS.search(text)
    headers = {name.lower(): value for name, value in _HEADER.findall(text)}
    return Response(
        status=int(status.group(1)) if status else 0,
        server=headers.get("server", ""),
        length=int(headers.get("content-length", 0)),
    )


@dataclass(frozen=True)
class Transfer:
    """One attempt as `curl -w` tells it: HTTP status (0 when none came), ports, seconds."""

    status: int
    local_port: int
    seconds: float


WRITE_OUT = "%{http_code} %{local_port} %{time_total}\\n"
"""curl's --write-out format that `transfers` reads."""


def transfers(text: str) -> list[Transfer]:
    """Lines that curl wrote in the WRITE_OUT format, one an attempt."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[0].isdigit():
            found.append(Transfer(int(words[0]), int(words[1]), float(words[2])))
    return found


def repeated(url: str, times: int, *, timeout: float = 5) -> str:
    """A command line for `times` connections, one after the other, told in WRITE_OUT.

    A URL range makes curl repeat itself; `Connection: close` keeps it from reusing a connection.
    """
    options = f"-s -m {timeout:g} -H 'Connection: close' -o /dev/null -w '{WRITE_OUT}'"
    return f"curl {options} '{url}?[1-{times}]'"
