"""Flows out of a file in place of a server."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.hubble.api import observer_pb2
from lab.hubble.cli import json_lines, offline

from .printed import flow


def test_flows_from_a_file_are_filtered_here() -> None:
    request = observer_pb2.GetFlowsRequest(number=1, whitelist=[{"verdict": ["DROPPED"]}])
    responses = [
        flow(),
        flow(verdict="DROPPED", node_name="a"),
        flow(verdict="DROPPED", node_name="b"),
    ]
    assert [each.flow.node_name for each in offline.select(responses, request)] == ["b"]
    request.first = True
    assert [each.flow.node_name for each in offline.select(responses, request)] == ["a"]


def test_a_file_that_is_none_names_the_line() -> None:
    with pytest.raises(InputError, match=r"flows\.json:2: not a flow in JSON"):
        list(json_lines.read_flows(["{}\n", "nonsense\n"], "flows.json"))
