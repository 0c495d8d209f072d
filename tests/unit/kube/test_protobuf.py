"""Bodies in Kubernetes' protobuf form."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from lab.kube.status import ApiError
from lab.kube.wire import protobuf
from lab.kube.wire.body import PROTOBUF
from lab.kube.wire.protobuf import MAGIC, decode
from tests.unit.kube.cluster import Cluster, with_cluster


def field(number: int, value: Any) -> bytes:
    """One field: an integer as a varint, text or bytes with a length."""
    if isinstance(value, int):
        return bytes([number << 3]) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


PROBE = field(1, field(2, field(1, "/") + field(2, field(1, 0) + field(2, 80))))
CONTAINER = (
    field(1, "c")
    + field(2, "nginx")
    + field(6, field(1, "") + field(2, 0) + field(3, 80))
    + field(11, field(1, PROBE[2:]) + field(3, 0))
    + field(8, field(1, field(1, "cpu") + field(2, field(1, "100m"))))
)
LABELS = field(1, "app") + field(2, "web")
POD = field(1, field(11, LABELS)) + field(2, field(2, CONTAINER))
DEPLOYMENT = field(1, field(1, "web") + field(8, b"")) + field(
    2, field(1, 0) + field(2, field(1, LABELS)) + field(3, POD) + field(5, 0)
)


def test_a_deployment_reads_as_its_json() -> None:
    assert decode(envelope("apps/v1", "Deployment", DEPLOYMENT)) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "nginx",
                            "ports": [{"containerPort": 80}],
                            "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                            "resources": {"limits": {"cpu": "100m"}},
                        }
                    ]
                },
            },
        },
    }


def test_secrets_are_bytes() -> None:
    secret = field(1, field(1, "s")) + field(2, field(1, "password") + field(2, b"\x00\xff"))
    assert decode(envelope("v1", "Secret", secret))["data"] == {"password": "AP8="}


def test_the_server_takes_them() -> None:
    async def story(cluster: Cluster) -> None:
        url = "/apis/apps/v1/namespaces/default/deployments"
        body = envelope("apps/v1", "Deployment", DEPLOYMENT)
        reply = await cluster.post(url, body, media=PROTOBUF, accept=f"{PROTOBUF},application/json")
        assert (reply.code, reply.body["spec"]["replicas"]) == (201, 0)

    with_cluster(story)


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_refused_or_read(seed: int) -> None:
    dice = random.Random(seed)
    body = bytearray(envelope("apps/v1", "Deployment", DEPLOYMENT))
    for _ in range(dice.randint(1, 5)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    cut = bytes(body[: dice.randint(1, len(body))])
    try:
        assert decode(cut)["kind"]
    except ApiError as error:
        assert error.code == 400


def test_what_is_kept_is_what_the_compiler_makes(tmp_path: Path) -> None:
    fresh, source = tmp_path / "fresh.binpb", protobuf.KINDS.with_suffix(".proto")
    well_known = Path(protoc.__file__).with_name("_proto")
    words = [f"-I{source.parent}", f"-I{well_known}", "--include_imports", f"-o{fresh}"]
    assert protoc.main(["protoc", *words, source.name]) == 0
    made, kept = (FileDescriptorSet.FromString(p.read_bytes()) for p in (fresh, protobuf.KINDS))
    assert made.file[-1].message_type == kept.file[-1].message_type
