"""What our programs are compared with serves the same services."""

from __future__ import annotations

import pytest

from lab.bench.paths import translated_paths
from lab.bench.paths.bare_path import POD
from lab.bench.paths.many_services import vip
from lab.bench.programs.netfilter_rules import iptables, nftables
from lab.setup.packages import needed


def test_the_last_service_leads_to_the_pod_on_every_port() -> None:
    rules = "\n".join(iptables(3))
    assert rules.count(f"--to-destination {POD}:") == 3
    assert f"-d {vip(3)}/32 -p udp -m udp --dport 5201" in rules
    elements = "\n".join(nftables(3))
    assert f"udp . {vip(3)} . 5201 : {POD} . 5201" in elements


def test_a_list_is_as_long_as_there_are_services() -> None:
    found = [line for line in iptables(100) if line.startswith("-A KUBE-SERVICES")]
    assert len(found) == 102 and found[-1].split()[3] == f"{vip(100)}/32"


@pytest.mark.parametrize("kind", ["nftables", "iptables"])
def test_what_loads_the_rules_is_installed_for_the_benchmarks(kind: str) -> None:
    *_, loading = getattr(translated_paths, kind)(1)
    program = loading.rpartition("ip netns exec node ")[2].split()[0]
    installed = {name for package in needed(test=True) for name in package.programs}
    assert program in installed
