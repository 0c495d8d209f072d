"""Which things on a host are a dead lab's."""

from __future__ import annotations

import pytest

from lab.doctor.host import Host
from lab.doctor.leaks import leaks, mends
from lab.errors import InputError


def host(**kinds: list[str]) -> Host:
    return Host({kind.replace("_", " "): frozenset(things) for kind, things in kinds.items()})


def test_a_clean_host_has_no_leaks() -> None:
    picture = host(
        links=["lo", "eth0", "docker0"],
        mounts=["/ (ext4 /dev/vda)", "/run (tmpfs tmpfs)"],
        processes=[],
        BPF_objects=["prog 12 sd_devices"],
    )
    assert leaks(picture, running=[]) == {}


def test_links_of_the_datapath_are_never_the_hosts() -> None:
    picture = host(links=["lo", "cilium_host", "cilium_vxlan", "lxc0123456789ab"])
    assert leaks(picture, running=["basic"]) == {
        "links": ["cilium_host", "cilium_vxlan", "lxc0123456789ab"]
    }


def test_a_process_is_left_over_when_its_lab_does_not_run() -> None:
    picture = host(processes=["11 bgpd in /lab-one/k8s-worker1", "12 zebra in /lab-two"])
    assert leaks(picture, running=["two"]) == {"processes": ["11 bgpd in /lab-one/k8s-worker1"]}


def test_a_control_group_without_its_lab_is_left_over() -> None:
    picture = host(control_groups=["/sys/fs/cgroup/lab-one", "/sys/fs/cgroup/lab-two"])
    assert leaks(picture, running=["one"]) == {"control groups": ["/sys/fs/cgroup/lab-two"]}


def test_what_carries_a_labs_name_is_told_with_the_command_that_removes_it() -> None:
    left = {
        "control groups": ["/sys/fs/cgroup/lab-two", "/sys/fs/cgroup/lab-one"],
        "processes": ["12 zebra in /lab-two/router1"],
        "links": ["cilium_host"],
    }
    assert mends(left) == ["lab down one", "lab down two"]


def test_mounts_of_a_lab_never_reach_the_host() -> None:
    picture = host(mounts=["/etc/frr (tmpfs lab)", "/ (ext4 /dev/vda)"])
    assert leaks(picture, running=[]) == {"mounts": ["/etc/frr (tmpfs lab)"]}


def test_bpf_objects_count_only_when_no_lab_can_be_holding_them() -> None:
    picture = host(BPF_objects=["map 7 cilium_ct4_glob", "prog 9 other"])
    assert leaks(picture, running=["one"]) == {}
    assert leaks(picture, running=[]) == {"BPF objects": ["map 7 cilium_ct4_glob"]}


def test_what_is_new_is_told_by_kind() -> None:
    before = host(links=["lo"], files=["/etc/frr/daemons"])
    after = host(links=["lo", "veth1"], files=["/etc/frr/daemons"])
    assert after.new_since(before) == {"links": ["veth1"]}


def test_a_picture_survives_its_file() -> None:
    picture = host(links=["lo"], routes=["default via 10.0.0.1"])
    assert Host.from_json(picture.to_json(), "file") == picture


@pytest.mark.parametrize("text", ["", "[]", '{"links": 3}', "not json"])
def test_a_file_that_is_no_picture_is_bad_input(text: str) -> None:
    with pytest.raises(InputError, match=r"before\.json is no picture"):
        Host.from_json(text, "before.json")
