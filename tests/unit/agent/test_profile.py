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
