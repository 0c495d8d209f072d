"""CiliumBGPNodeConfig: the state of a node's sessions, out of bgpd's answers."""

from __future__ import annotations

from lab.agent.bgp.node_config import node_config
from tests.unit.agent.bgp_given import facts, resources

SUMMARY = {"ipv4Unicast": {"peers": {"192.168.1.1": {"pfxRcd": 0, "pfxSnt": 2}}}}


def test_the_state_of_a_session_that_is_up() -> None:
    neighbors = {
        "192.168.1.1": {
            "bgpState": "Established",
            "bgpTimerUpEstablishedEpoch": 0,
            "bgpTimerHoldTimeMsecs": 9000,
            "bgpTimerKeepAliveIntervalMsecs": 3000,
        }
    }
    found = node_config(resources(), facts(), SUMMARY, neighbors)
    assert found is not None
    (peer,) = found["status"]["bgpInstances"][0]["peers"]
    assert (peer["name"], peer["peeringState"]) == ("r1", "established")
    assert peer["establishedTime"] == "1970-01-01T00:00:00Z"
    assert peer["timers"]["appliedHoldTimeSeconds"] == 9
    assert peer["routeCount"] == [
        {"afi": "ipv4", "safi": "unicast", "received": 0, "advertised": 2}
    ]


def test_the_state_of_a_session_that_nobody_knows() -> None:
    found = node_config(resources(), facts(), {}, {})
    assert found is not None
    (peer,) = found["status"]["bgpInstances"][0]["peers"]
    assert (peer["peeringState"], peer["routeCount"]) == ("idle", [])


def test_a_node_that_is_not_selected_has_no_state() -> None:
    elsewhere = {"nodeSelector": {"matchLabels": {"rack": "z"}}}
    assert node_config(resources(cluster=elsewhere), facts(), {}, {}) is None
