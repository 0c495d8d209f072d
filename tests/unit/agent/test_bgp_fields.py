"""Every field of every resource that configures BGP: what FRR is told, or why it is refused.

A row has the object with one field in it. `frr` are lines that the node's configuration then has
(and has not without it), `refused` is what the object's events say. A field that is in neither
list would make `test_no_field_is_forgotten` fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.agent.refused import Refused
from lab.frr.model import BgpConfig
from lab.frr.node import node_tree
from lab.frr.tree import text
from lab.operator import cilium_crds
from tests.unit.agent.fields import metallb, policy, version2
from tests.unit.agent.fields.row import Json, Row, placed


def lines(config: BgpConfig | None) -> set[str]:
    assert config is not None
    return {line.strip() for line in text(node_tree(config)).splitlines()}


TABLES = {**metallb.TABLES, **policy.TABLES, **version2.TABLES}


def cases() -> Iterator[Any]:
    for table, (_, _, rows) in TABLES.items():
        for number, each in enumerate(rows):
            yield pytest.param(table, each, id=f"{table}-{number}-{each.field}")


@pytest.mark.parametrize(("table", "each"), list(cases()))
def test_a_field_is_honoured_or_refused(table: str, each: Row) -> None:
    compose, base, _ = TABLES[table]
    made = placed(base, each.field, each.value)
    if each.refused:
        with pytest.raises(Refused) as caught:
            compose(made)
        assert each.refused in str(caught.value)
        return
    after = lines(compose(made))
    assert set(each.frr) <= after
    assert not set(each.without) & after


def _leaves(schema: Json, path: str = "") -> Iterator[str]:
    """Dotted paths of a schema's fields; selectors and what stands by itself are leaves."""
    properties = schema.get("properties") or {}
    if schema.get("type") == "array":
        yield from _leaves(schema["items"], path)
    elif not properties or "matchLabels" in properties:
        yield path
    else:
        for name, inner in properties.items():
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))


def _spec(kind: str) -> set[str]:
    found = next(d for d in cilium_crds.definitions() if d["spec"]["names"]["kind"] == kind)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return set(_leaves(schema["properties"]["spec"]))


KINDS = {
    "CiliumBGPPeeringPolicy": ("policy", ""),
    "CiliumBGPClusterConfig": ("version2", "cluster."),
    "CiliumBGPPeerConfig": ("version2", "config."),
    "CiliumBGPAdvertisement": ("version2", "advert."),
    "CiliumBGPNodeConfigOverride": ("version2", "override."),
}


ELSEWHERE = {kind: set[str]() for kind in KINDS} | {
    # The group of the one kind that there is.
    "CiliumBGPClusterConfig": {"bgpInstances.peers.peerConfigRef.group"},
}
"""Fields without a row here."""


def _parts(prefix: str, value: Any) -> Iterator[str]:
    """The paths that a value written at a path covers."""
    if isinstance(value, dict) and not {"matchLabels", "matchExpressions"} & set(value):
        for name, inner in value.items():
            yield from _parts(f"{prefix}.{name}", inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _parts(prefix, value[0])
    else:
        yield prefix


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_forgotten(kind: str) -> None:
    """The schema that the API server refuses unknown fields by has no field without a row."""
    table, prefix = KINDS[kind]
    tables = (TABLES[name] for name in TABLES if name.startswith(table))
    rows = [each for _, _, found in tables for each in found]
    written = {
        path.removeprefix(prefix)
        for each in rows
        if each.field.startswith(prefix)
        for path in _parts(
            ".".join(p for p in each.field.split(".") if not p.isdigit()), each.value
        )
    }
    base = TABLES[table][1]
    given = set(_parts("", base if table == "policy" else base[prefix.rstrip(".")]))
    covered = written | {path.lstrip(".") for path in given}
    assert _spec(kind) - covered == ELSEWHERE[kind]
