"""Readers of real tools, against what the tools printed."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from lab.errors import FrrError, LabError
from lab.scenario import capture
from lab.scenario.reading import balancer, bgp, cluster, curl, netfilter, ping, routes

VERBOSE = """\
*   Trying 172.16.10.0:80...
* Connected to 172.16.10.0 (172.16.10.0) port 80 (#0)
> GET / HTTP/1.1\r
> Host: 172.16.10.0\r
> User-Agent: curl/7.88.1\r
>\x20
< HTTP/1.1 200 OK\r
< Server: nginx/1.22.1\r
< Content-Type: text/html\r
< Content-Length: 615\r
< Connection: keep-alive\r
<\x20
{ [615 bytes data]
"""


def test_curl_verbose() -> None:
    assert curl.from_verbose(VERBOSE) == curl.Response(200, "nginx/1.22.1", 615)


def test_curl_without_an_answer() -> None:
    refused = "*   Trying 172.16.10.0:81...\n* Connection timed out\n"
    assert curl.from_verbose(refused) == curl.Response(0, "", 0)


def test_curl_transfers_leave_other_lines_out() -> None:
    text = "200 40001 0.001234\n\ncurl: (28) timed out\n000 40002 3.000100\n"
    assert curl.transfers(text) == [
        curl.Transfer(200, 40001, 0.001234),
        curl.Transfer(0, 40002, 3.0001),
    ]


def test_ping_counts() -> None:
    lost = (
        "PING 172.16.10.0 (172.16.10.0) 56(84) bytes of data.\n"
        "From 192.168.1.22 icmp_seq=1 Time to live exceeded\n\n"
        "--- 172.16.10.0 ping statistics ---\n"
        "2 packets transmitted, 0 received, +1 errors, 100% packet loss, time 1024ms\n"
    )
    assert ping.parse(lost) == ping.Pinged(sent=2, received=0)


def test_ping_that_failed_itself_is_not_silence() -> None:
    with pytest.raises(LabError, match="Name or service not known"):
        ping.parse("ping: nowhere: Name or service not known")


def test_route_with_several_next_hops() -> None:
    entry = {
        "dst": "172.16.10.0",
        "protocol": "bgp",
        "metric": 20,
        "nexthops": [
            {"gateway": "192.168.1.10", "dev": "enp7s0", "weight": 1, "flags": []},
            {"gateway": "192.168.1.21", "dev": "enp7s0", "weight": 1, "flags": []},
        ],
    }
    (route,) = routes.parse([entry])
    assert route.destination == "172.16.10.0"
    assert route.protocol == "bgp"
    assert route.next_hops == (IPv4Address("192.168.1.10"), IPv4Address("192.168.1.21"))
    assert routes.next_hops([route]) == {"192.168.1.10", "192.168.1.21"}


def test_route_with_one_next_hop_and_route_without() -> None:
    plain = {"dst": "default", "gateway": "192.168.10.1", "dev": "eth0", "flags": []}
    direct = {"dst": "192.168.10.0/24", "dev": "eth0", "protocol": "kernel", "flags": []}
    assert routes.next_hops(routes.parse([plain, direct])) == {"192.168.10.1"}


def test_routes_that_are_none_are_refused() -> None:
    with pytest.raises(LabError, match="no list of routes"):
        routes.parse([{"gateway": "192.168.10.1"}])


LB_LIST = """\
SERVICE ADDRESS      BACKEND ADDRESS
10.96.0.1:443        0.0.0.0:0 (1) [ClusterIP, non-routable]
                     192.168.1.10:6443 (1)
172.16.10.0:80       0.0.0.0:0 (5) [LoadBalancer]
                     10.0.3.150:80 (5)
                     10.0.1.7:80 (5)
172.16.10.9:80       0.0.0.0:0 (9) [LoadBalancer]
"""


def test_load_balancer_list() -> None:
    frontends = balancer.parse(LB_LIST)
    assert frontends["172.16.10.0:80"] == balancer.Frontend(
        "172.16.10.0:80", "LoadBalancer", ("10.0.1.7:80", "10.0.3.150:80")
    )
    assert frontends["10.96.0.1:443"].kind == "ClusterIP, non-routable"
    assert frontends["172.16.10.9:80"].backends == ()
    assert len(frontends) == 3


def test_load_balancer_list_of_today() -> None:
    """Every line has its frontend and its slot."""
    text = (
        "SERVICE ADDRESS         BACKEND ADDRESS (REVNAT_ID) (SLOT)\n"
        "172.16.10.0:80/TCP (0)  0.0.0.0:0 (5) (0) [LoadBalancer]\n"
        "172.16.10.0:80/TCP (1)  10.0.3.150:80/TCP (5) (1)\n"
    )
    frontend = balancer.parse(text)["172.16.10.0:80/TCP"]
    assert (frontend.kind, frontend.backends) == ("LoadBalancer", ("10.0.3.150:80/TCP",))


def test_load_balancer_list_with_a_backend_beside_its_frontend() -> None:
    text = "172.16.10.0:80   10.0.3.150:80 (5)\n                 0.0.0.0:0 (5) [LoadBalancer]\n"
    assert balancer.parse(text)["172.16.10.0:80"].backends == ("10.0.3.150:80",)


def test_bgp_neighbors() -> None:
    summary = {
        "ipv4Unicast": {
            "peers": {
                "192.168.1.10": {"state": "Established", "pfxRcd": 1, "pfxSnt": 0},
                "192.168.1.21": {"state": "Active"},
            }
        }
    }
    seen = bgp.neighbors(summary)
    assert seen["192.168.1.10"] == bgp.Neighbor("192.168.1.10", "Established", 1, 0)
    assert not seen["192.168.1.21"].established


def test_bgp_summary_that_is_none_is_refused() -> None:
    with pytest.raises(FrrError):
        bgp.neighbors([])


CAPTURED = [
    "21:00:01.123456 IP 192.168.10.11 > 172.16.10.0: ICMP echo request, id 7, seq 1, length 64",
    "21:00:01.223456 IP 192.168.1.1.36946 > 172.16.10.0.80: Flags [S], seq 1, win 64240, length 0",
    "21:00:01.3 IP6 2001:db8:10::11.40000 > 2001:db8:172::.80: Flags [S], seq 1, length 0",
    "\t0x0000:  4500 0054",
    "21:00:01.3 ARP, Request who-has 192.168.1.1 tell 192.168.1.10, length 28",
]


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        ((0, 8, 0), 8),
        ((1, 1, 0), 0),
        ((500, 1010, 3), 507),
    ],
)
def test_packets_that_tcpdump_has_not_printed(counts: tuple[int, int, int], left: int) -> None:
    printed, received, dropped = (f"{n} packet{'' if n == 1 else 's'}" for n in counts)
    said = (
        f"tcpdump: {printed} captured, {received} received by filter, {dropped} dropped by kernel"
    )
    assert capture.unprinted(said) == left


def test_counts_that_are_none() -> None:
    with pytest.raises(ValueError, match="tcpdump wrote 'pcap_loop: down' for SIGUSR1"):
        capture.unprinted("pcap_loop: down")


def test_captured_packets() -> None:
    echo, syn, six = capture.packets(CAPTURED)
    assert (six.source, six.destination) == ("2001:db8:10::11.40000", "2001:db8:172::.80")
    assert (echo.source, echo.destination) == ("192.168.10.11", "172.16.10.0")
    assert echo.summary.startswith("ICMP echo request")
    assert (syn.source, syn.destination) == ("192.168.1.1.36946", "172.16.10.0.80")


def test_netfilter_rules_are_what_acts_on_packets() -> None:
    ruleset = """\
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 172.16.10.0 dnat to 10.0.3.150
	}
}
"""
    assert netfilter.rules(ruleset) == ["ip daddr 172.16.10.0 dnat to 10.0.3.150"]
    assert netfilter.rules("table ip filter {\n\tchain INPUT {\n\t}\n}\n") == []


def test_a_chain_whose_policy_drops_is_a_rule() -> None:
    ruleset = (
        "table ip filter {\n\tchain FORWARD {\n"
        "\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
    )
    assert netfilter.rules(ruleset) == ["type filter hook forward priority filter; policy drop;"]


def test_pods_and_services() -> None:
    pod = {
        "metadata": {"namespace": "default", "name": "web1-x"},
        "spec": {"nodeName": "k8s-worker3"},
        "status": {
            "podIP": "10.0.3.150",
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    pending = {"metadata": {"namespace": "default", "name": "web1-y"}, "spec": {}}
    ready, waiting = cluster.pods({"items": [pod, pending]})
    assert (ready.node, ready.address, ready.ready) == ("k8s-worker3", "10.0.3.150", True)
    assert (waiting.node, waiting.address, waiting.ready) == ("", "", False)
    service = {
        "metadata": {"namespace": "default", "name": "web1-lb"},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.106.236.120",
            "ports": [{"port": 80, "nodePort": 30256}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "172.16.10.0"}]}},
    }
    assert cluster.services({"items": [service]})["web1-lb"] == cluster.Service(
        "default", "web1-lb", "LoadBalancer", "10.106.236.120", ("172.16.10.0",), (80,), (30256,)
    )


def test_an_answer_without_a_list_is_refused() -> None:
    with pytest.raises(LabError, match="no list"):
        cluster.pods({"kind": "Status"})
