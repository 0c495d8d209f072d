"""What is done to an API server by a process in its network namespace (see served.py).

    python -m tests.system.kube.assault DIRECTORY storm     writes until the server is gone
    python -m tests.system.kube.assault DIRECTORY garbage   what is no request, over and over

Each prints one line of JSON: what the server acknowledged, or how it answered.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

MAPS = "/api/v1/namespaces/default/configmaps"
WRITERS = 4
BOUND = 20.0
"""Seconds until an answer that does not come counts as a stuck connection."""


class Api:
    """The server's address and what it asks its clients for."""

    def __init__(self, directory: Path) -> None:
        self.context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
        self.head = {"Authorization": f"Bearer {(directory / 'token').read_text().strip()}"}

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", 6443, context=self.context, timeout=BOUND)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = self.connect()
        connection.request(method, path, json.dumps(body), self.head)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def storm(api: Api) -> dict[str, Any]:
    """Create and change maps as fast as the server takes them. A value is acknowledged when its
    answer was read; one that was sent and not answered may be there or not.
    """
    acknowledged: dict[str, str] = {}
    sent: dict[str, str] = {}
    enough = threading.Event()

    def write(number: int) -> None:
        connection = api.connect()
        try:
            for turn in range(1 << 20):
                name = f"w{number}-{turn // 4}"
                value = sent[name] = str(turn) * 200
                body = {"metadata": {"name": name}, "data": {"value": value}}
                method, path = ("PUT", f"{MAPS}/{name}") if turn % 4 else ("POST", MAPS)
                connection.request(method, path, json.dumps(body), api.head)
                answer = connection.getresponse()
                answer.read()
                assert answer.status < 300, answer.status
                acknowledged[name] = value
                if len(acknowledged) > 50 and not enough.is_set():
                    enough.set()
                    sys.stdout.write("writing\n")
                    sys.stdout.flush()
        except (OSError, http.client.HTTPException):
            return

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return {"acknowledged": acknowledged, "sent": sent}


def garbage(api: Api) -> list[str]:
    """The first line of the answer to each piece of nonsense; "" where the server hung up."""
    return [_answer(api, piece) for piece in nonsense(api.head["Authorization"])]


def nonsense(token: str) -> list[bytes]:
    """Requests that are none, bodies that are not what they say, and plain noise."""
    dice = random.Random(1)
    head = f"Host: x\r\nAuthorization: {token}\r\n".encode()

    def post(body: bytes, kind: bytes, *more: bytes) -> bytes:
        lines = [b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *more]
        start = f"POST {MAPS} HTTP/1.1\r\n".encode() + head
        return start + b"\r\n".join(lines) + b"\r\n\r\n" + body

    json_kind, yaml_kind = b"application/json", b"application/yaml"
    return [
        b"GET\r\n\r\n",
        b"FLY / HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /\x00/\xff HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /api/v1/pods?watch=1&resourceVersion=x HTTP/1.1\r\n" + head + b"\r\n",
        b"GET / HTTP/9.9\r\n" + head + b"\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n" + head + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"GET /" + b"a" * (1 << 18) + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"GET / HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        post(b"{", json_kind),
        post(b'{"metadata": {"name": "\xff"}}', json_kind),
        post(b'{"a":' * 100_000, json_kind),
        post(b"a: &a [" + b"*a," * 1000, yaml_kind),
        post(b"? [a]\n: b", yaml_kind),
        post(b"!!python/object/apply:os.system [id]", yaml_kind),
        post(b"k8s\x00" + bytes(dice.randrange(256) for _ in range(500)),
             b"application/vnd.kubernetes.protobuf"),
        post(b"", json_kind),
        post(b"{}", b"\xff/\xfe"),
        post(b"zz\r\n{}\r\n0\r\n\r\n", json_kind, b"Transfer-Encoding: chunked"),
        f"POST {MAPS} HTTP/1.1\r\nContent-Length: 99999999999\r\n".encode() + head + b"\r\n{",
        *(bytes(dice.randrange(256) for _ in range(200)) + b"\r\n\r\n" for _ in range(20)),
    ]  # fmt: skip


def _answer(api: Api, piece: bytes) -> str:
    plain = socket.create_connection(("127.0.0.1", 6443), timeout=BOUND)
    with api.context.wrap_socket(plain, server_hostname="127.0.0.1") as line:
        try:
            line.sendall(piece)
            return line.recv(1 << 16).split(b"\r\n")[0].decode("latin-1")
        except (ConnectionError, ssl.SSLError):
            return ""
        except TimeoutError:
            return f"stuck stuck: {piece[:80]!r}"


if __name__ == "__main__":
    todo = {"storm": storm, "garbage": garbage}[sys.argv[2]]
    sys.stdout.write(json.dumps(todo(Api(Path(sys.argv[1])))) + "\n")
