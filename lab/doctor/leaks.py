"""What in a picture of the host is a lab's, and of no lab that is running."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from lab.doctor.host import Host

LINK = re.compile(r"cilium_(host|net|vxlan)|lxc[0-9a-f]{8,}|.*-eth\d+")
"""Names of interfaces that only a lab (or a Mininet, or a Cilium) makes."""

BPF_OBJECT = re.compile(r"(prog|map) \d+ (cilium_|lab_)\w*")
GROUP = re.compile(r"/lab-([a-z0-9-]+)")
RUN_DIRECTORY = re.compile(r"/run/lab/([^/ ]+)")


def leaks(host: Host, running: Collection[str]) -> Mapping[str, list[str]]:
    """Kind -> things that carry a lab's mark and belong to none of the running labs."""
    found = {
        kind: sorted(thing for thing in host.things.get(kind, ()) if left(thing, running))
        for kind, left in RULES.items()
    }
    return {kind: things for kind, things in found.items() if things}


def mends(left: Mapping[str, list[str]]) -> list[str]:
    """The commands that remove what is left of labs whose names the things carry."""
    things = (thing for all_ in left.values() for thing in all_)
    labs = {lab for thing in things for lab in _labs_named_in(thing)}
    return [f"lab down {lab}" for lab in sorted(labs)]


def _named_like_a_lab_link(thing: str, _running: Collection[str]) -> bool:
    return LINK.fullmatch(thing) is not None


def _of_a_dead_lab(thing: str, running: Collection[str]) -> bool:
    """Its path says which lab it is of. A dead lab's run directory is where its logs stay."""
    labs = list(_labs_named_in(thing))
    return bool(labs) and not set(labs) & set(running)


def _bpf_without_a_lab(thing: str, running: Collection[str]) -> bool:
    """BPF objects do not say whose they are: without a running lab there must be none."""
    return not running and BPF_OBJECT.fullmatch(thing) is not None


def _mounted_by_a_lab(thing: str, running: Collection[str]) -> bool:
    return thing.endswith("(tmpfs lab)") or _of_a_dead_lab(thing, running)


def _labs_named_in(thing: str) -> Iterator[str]:
    for pattern in (GROUP, RUN_DIRECTORY):
        yield from pattern.findall(thing)


RULES: Mapping[str, Callable[[str, Collection[str]], bool]] = {
    "links": _named_like_a_lab_link,
    "mounts": _mounted_by_a_lab,
    "processes": _of_a_dead_lab,
    "control groups": _of_a_dead_lab,
    "BPF objects": _bpf_without_a_lab,
}
