"""Configuration files as they are written, accepted by FRR's own parser."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import shell
from lab.frr.node import node_tree
from lab.frr.plan import files
from lab.frr.tree import parse, part, text
from lab.topology import load, resolve

from .configs import PLAIN, RICH

GOLDEN = Path(__file__).parent / "golden"


def router(topology: str = "basic", **options: object) -> str:
    plan = resolve(load(topology, **options))
    return files(plan, plan.node("bgp-router1"))["frr.conf"]


CASES: dict[str, Callable[[], str]] = {
    "router.conf": router,
    "router-bfd.conf": lambda: router(bfd="3x50"),
    "router-ebgp.conf": lambda: router(
        node_asn=64601, bgp_password="secret", ttl_security=1, maximum_prefixes=100, workers=1
    ),
    "router-ipv6.conf": lambda: router("dual_stack", bfd="3x50", workers=1),
    "node.conf": lambda: text(node_tree(PLAIN)),
    "node-everything.conf": lambda: text(node_tree(RICH)),
}


@pytest.mark.parametrize("name", CASES)
def test_text(name: str) -> None:
    assert CASES[name]() == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.skipif(shutil.which("vtysh") is None, reason="FRR is not installed")
def test_frr_accepts_it(name: str) -> None:
    checked = shell.probe(["vtysh", "-C", "-f", str(GOLDEN / name)])
    assert (checked.code, checked.out + checked.err) == (0, "")


@pytest.mark.skipif(shutil.which("vtysh") is None, reason="FRR is not installed")
def test_frrs_check_is_not_blind(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.conf"
    wrong.write_text((GOLDEN / "node.conf").read_text().replace("remote-as", "remote-asn"))
    assert not shell.probe(["vtysh", "-C", "-f", str(wrong)]).ok


@pytest.mark.parametrize("name", CASES)
def test_reading_it_back_gives_the_same_text(name: str) -> None:
    written = (GOLDEN / name).read_text()
    body = written.partition("service integrated-vtysh-config\n!\n")[2] or written
    assert text(parse(body)) == body


def test_zebra_and_bgpd_read_what_each_of_them_understands() -> None:
    tree = parse(router())
    assert text(part(tree, "zebra")) == "zebra work-queue 0\n!\n"
    assert "zebra work-queue" not in text(part(tree, "bgpd"))


def test_a_kubernetes_node_speaks_no_bgp_before_its_agent_tells_it_to() -> None:
    plan = resolve(load("basic"))
    assert files(plan, plan.node("k8s-worker1")) == {
        "frr.conf": "frr defaults traditional\nhostname k8s-worker1\n"
        "service integrated-vtysh-config\n!\n",
        "vtysh.conf": "service integrated-vtysh-config\n",
    }
