"""Options of a lab that change how its nodes balance."""

from __future__ import annotations

import pytest

from lab.agent.profile import profile
from lab.errors import InputError


@pytest.mark.parametrize(("asked", "native"), [("disabled", False), ("native", True)])
def test_acceleration_is_an_option(asked: str, native: bool) -> None:
    assert profile("cilium-1.10", {"acceleration": asked}).native_xdp is native


def test_there_is_no_acceleration_unless_asked_for() -> None:
    assert not profile("modern", {}).native_xdp


def test_unknown_accelerations_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no acceleration 'generic'; there are disabled, native"):
        profile("cilium-1.10", {"acceleration": "generic"})


@pytest.mark.parametrize(
    ("mode", "direct", "tunnel"),
    [("snat", [], True), ("dsr", ["TCP", "UDP"], False), ("hybrid", ["TCP"], False)],
)
def test_replies_that_go_straight_to_the_client_do_without_the_tunnel(
    mode: str, direct: list[str], tunnel: bool
) -> None:
    chosen = profile("cilium-1.10", {"mode": mode})
    assert (sorted(chosen.dsr), chosen.tunnel) == (direct, tunnel)


@pytest.mark.parametrize(
    ("name", "options", "maglev"),
    [
        ("cilium-1.10", {}, False),
        ("cilium-1.10", {"algorithm": "maglev"}, True),
        ("modern", {}, True),
        ("modern", {"algorithm": "random"}, False),
    ],
)
def test_either_generation_chooses_backends_in_its_own_way_unless_told(
    name: str, options: dict[str, str], maglev: bool
) -> None:
    assert profile(name, options).maglev is maglev


@pytest.mark.parametrize("size", [251, 16381, 131071])
def test_tables_are_as_large_as_asked_for(size: int) -> None:
    assert profile("modern", {"maglev_size": str(size)}).maglev_size == size


@pytest.mark.parametrize("size", ["241", "254", "289", "131101", "-251", "251.0", ""])
def test_a_table_s_size_is_a_prime_of_a_range(size: str) -> None:
    """Some of these are primes that are too small or too large, or the square of one."""
    with pytest.raises(InputError, match=f"maglev_size '{size}' is no prime between 251 and"):
        profile("modern", {"maglev_size": size})
