from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.errors import InputError, SandboxError
from lab.sandbox.control import LONGEST_LINE, ControlServer, Refused, ask


def double(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"twice": request["number"] * 2}


def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
    raise InputError("no such node")


@pytest.fixture
def control(tmp_path: Path) -> Path:
    path = tmp_path / "control.sock"
    ControlServer(path, {"double": double, "refuse": refuse})
    return path


def raw(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def test_an_answer_carries_what_the_handler_returned(control: Path) -> None:
    assert ask(control, "double", number=21) == {"twice": 42}


def test_a_handlers_error_arrives_with_its_exit_code(control: Path) -> None:
    with pytest.raises(Refused, match="no such node") as caught:
        ask(control, "refuse")
    assert caught.value.exit_code == 2


def test_an_unknown_request_is_told_what_there_is(control: Path) -> None:
    with pytest.raises(Refused, match="'dance'; it can: double, refuse"):
        ask(control, "dance")


@pytest.mark.parametrize("line", [b"\n", b"{\n", b"[]\n", b"{}\n", b'{"do": 5}\n', b"\xff\xfe\n"])
def test_a_malformed_request_gets_an_error_and_stops_nothing(control: Path, line: bytes) -> None:
    answer = json.loads(raw(control, line))
    assert answer["exit_code"] == 2
    assert ask(control, "double", number=1) == {"twice": 2}


def test_several_requests_share_a_connection(control: Path) -> None:
    requests = b'{"do": "double", "number": 1}\n{"do": "double", "number": 2}\n'
    answers = [json.loads(line)["ok"] for line in raw(control, requests).splitlines()]
    assert answers == [{"twice": 2}, {"twice": 4}]


def test_an_endless_request_is_cut_off(control: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(control))
        try:
            connection.sendall(b"x" * (LONGEST_LINE + 1))
            assert connection.recv(1) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert ask(control, "double", number=1) == {"twice": 2}


def test_only_root_may_ask(control: Path) -> None:
    assert control.stat().st_mode & 0o777 == 0o600


def test_a_lab_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no answer to 'status'"):
        ask(tmp_path / "nobody.sock", "status")
