"""What both versions of Cilium's BGP resources are written with: selectors and communities."""

from __future__ import annotations

from typing import Any

import pytest

from lab.agent.bgp.facts import attributes
from lab.agent.bgp.selection import selects


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        (None, {}, False),
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
    ],
)
def test_selectors(selector: Any, labels: dict[str, str], matches: bool) -> None:
    assert selects(selector, labels) is matches


def test_communities_in_their_written_forms() -> None:
    written = {"communities": {"standard": ["4227858433"], "wellKnown": ["no-export-subconfed"]}}
    assert attributes(written).communities == {"64512:1", "local-AS"}
    with pytest.raises(ValueError, match="no well-known community"):
        attributes({"communities": {"wellKnown": ["sometimes"]}})
