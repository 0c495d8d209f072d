"""A capture whose tcpdump is gone."""

from __future__ import annotations

import pytest

from lab import shell
from lab.errors import CommandError
from lab.scenario.capture import Capture

LINE = "tcpdump -n -i eth0 icmp"


@pytest.mark.parametrize("known", [False, True], ids=["still to be seen", "seen already"])
def test_a_tcpdump_that_has_ended_is_named_with_its_node(known: bool) -> None:
    """As when its node crashes, or somebody kills it."""
    with shell.spawn(
        ["sh", "-c", "echo 'pcap_loop: The interface disappeared' >&2; exit 1"]
    ) as ended:
        taken = Capture("k8s-worker1", LINE, ended)
        if known:
            ended.wait(timeout=10)
        with pytest.raises(CommandError, match="The interface disappeared") as error:
            taken.until_printed()
    assert "k8s-worker1" in str(error.value)
    assert LINE in str(error.value)
