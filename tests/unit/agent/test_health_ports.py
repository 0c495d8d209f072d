"""healthCheckNodePort: what a load balancer outside is told of a node."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from lab.agent.services.health_ports import Health, HealthPorts, wanted_ports
from tests.unit.agent.objects import endpoint, endpoint_slice, service

REQUEST = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


async def answer(port: int) -> tuple[str, dict[str, str], Any]:
    """Status line, headers and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    status, *fields = head.split("\r\n")
    return status, dict(field.split(": ", 1) for field in fields), json.loads(body)


def test_a_node_tells_how_many_ready_pods_of_the_service_it_has() -> None:
    web = service(externalTrafficPolicy="Local", healthCheckNodePort=30100)
    slices = [
        endpoint_slice(
            endpoint("10.0.1.1"),
            endpoint("10.0.1.2", ready=False),
            endpoint("10.0.1.3", ready=False, terminating=True),
            endpoint("10.0.2.1", node="k8s-worker2"),
        )
    ]
    found = [wanted_ports([web], lambda _: slices, f"k8s-worker{n}") for n in (1, 2, 3)]
    assert [each[30100] for each in found] == [
        Health("default", "web1-lb", count) for count in (1, 1, 0)
    ]
    assert wanted_ports([service()], lambda _: slices, "k8s-worker1") == {}


def test_pods_count_by_their_address_of_the_service_s_main_family() -> None:
    slices = [endpoint_slice(endpoint("10.0.1.1")), endpoint_slice(endpoint("fd01::1"))]
    slices[1].addressType = "IPv6"
    slices.append(endpoint_slice(endpoint("fd01::2")))
    slices[2].addressType = "IPv6"
    for families, count in ((["IPv4", "IPv6"], 1), (["IPv6", "IPv4"], 2)):
        web = service(healthCheckNodePort=30100, ipFamilies=families)
        found = wanted_ports([web], lambda _: slices, "k8s-worker1")
        assert found[30100].local_endpoints == count


def test_a_port_that_no_service_has_any_more_is_closed() -> None:
    async def story() -> None:
        ports, gone, kept = HealthPorts(), free_port(), free_port()
        web = Health("default", "web", 1)
        await ports.set({gone: web, kept: web})
        await answer(gone)
        await ports.set({kept: web})
        assert (await answer(kept))[0] == "HTTP/1.1 200 OK"
        with pytest.raises(ConnectionRefusedError):
            await answer(gone)
        await ports.set({gone: web})
        assert (await answer(gone))[0] == "HTTP/1.1 200 OK"
        await ports.set({})

    asyncio.run(story())


def test_a_port_that_somebody_else_has_is_tried_again_and_the_others_are_served() -> None:
    async def story() -> None:
        ports, other, web = HealthPorts(), free_port(), Health("default", "web", 1)
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            port = int(taken.getsockname()[1])
            await ports.set({port: web, other: web})
            assert (await answer(other))[0] == "HTTP/1.1 200 OK"
        await ports.set({port: web, other: web})
        assert (await answer(port))[0] == "HTTP/1.1 200 OK"
        await ports.set({})

    asyncio.run(story())


def test_with_the_last_pod_the_answer_turns_from_200_to_503() -> None:
    async def story() -> None:
        ports, port = HealthPorts(), free_port()
        await ports.set({port: Health("default", "web", 1)})
        status, headers, body = await answer(port)
        assert status == "HTTP/1.1 200 OK"
        assert headers["X-Load-Balancing-Endpoint-Weight"] == "1"
        assert body == {"service": {"namespace": "default", "name": "web"}, "localEndpoints": 1}
        await ports.set({port: Health("default", "web", 0)})
        status, headers, body = await answer(port)
        assert status == "HTTP/1.1 503 Service Unavailable"
        assert (headers["X-Load-Balancing-Endpoint-Weight"], body["localEndpoints"]) == ("0", 0)
        await ports.set({})

    asyncio.run(story())


def test_a_request_that_the_service_did_not_live_to_see_is_closed_and_harms_nobody() -> None:
    async def story() -> list[dict[str, Any]]:
        broken: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: broken.append(what))
        ports, port = HealthPorts(), free_port()
        await ports.set({port: Health("default", "web", 1)})
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:-2])
        assert (await answer(port))[0] == "HTTP/1.1 200 OK"  # so the first one is being served
        await ports.set({})
        writer.write(REQUEST[-2:])
        assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0)
        return broken

    assert asyncio.run(story()) == []
