"""What is wrong with a request is told as a Status; nothing of it ends in a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.operator import cilium_crds
from tests.unit.kube.cluster import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Cluster,
    with_cluster,
)
from tests.unit.kube.objects import pod
from tests.unit.kube.sound import (
    DEFINITION,
    DEPLOYMENT,
    DEPLOYMENTS,
    PODS,
    POOL,
    POOLS,
    SERVICE,
    SERVICES,
)


def refused(
    method: str, url: str, body: Any, code: int, reason: str, words: str, **how: Any
) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(SERVICES, SERVICE)
        reply = await cluster.call(method, url, body, **how)
        assert (reply.code, reply.reason) == (code, reason), reply.body
        assert words in reply.message
        assert reply.body["kind"] == "Status"

    with_cluster(story)


@pytest.mark.parametrize(
    ("url", "code", "reason", "words"),
    [
        ("/", 404, "NotFound", "could not find"),
        ("/api/v2/pods", 404, "NotFound", "could not find"),
        ("/api/v1/pods/x", 404, "NotFound", "could not find"),
        ("/api/v1/namespaces/default/gadgets", 404, "NotFound", "could not find"),
        ("/api/v1/namespaces/default/services/web/scale", 404, "NotFound", "could not find"),
        ("/api/v1/namespaces/default/nodes", 404, "NotFound", "could not find"),
        (f"{PODS}/nobody", 404, "NotFound", 'pods "nobody" not found'),
        (f"{DEPLOYMENTS}/nobody", 404, "NotFound", 'deployments.apps "nobody" not found'),
        (f"{PODS}?labelSelector=a%3D%3D%3Db", 400, "BadRequest", "unable to parse requirement"),
        (f"{PODS}?fieldSelector=spec.color%3Dred", 400, "BadRequest", "field label not supported"),
        (f"{PODS}?limit=many", 400, "BadRequest", "invalid syntax"),
        (f"{PODS}?continue=garbage", 400, "BadRequest", "continue key is not valid"),
        (f"{PODS}?watch=1&resourceVersion=999999", 410, "Expired", "too old resource version"),
    ],
)
def test_reading(url: str, code: int, reason: str, words: str) -> None:
    refused("GET", url, None, code, reason, words)


@pytest.mark.parametrize(
    ("url", "body", "code", "reason", "words"),
    [
        (PODS, b"{", 400, "BadRequest", "unrecognized"),
        (PODS, b"[]", 400, "BadRequest", "not an object"),
        (PODS, b"\xff\xfe", 400, "BadRequest", "unrecognized"),
        (PODS, b'{"metadata": {"name": "\xff"}}', 400, "BadRequest", "unrecognized"),
        (PODS, b"[" * 100_000, 400, "BadRequest", ""),
        (PODS, {"metadata": []}, 400, "BadRequest", "cannot unmarshal array"),
        (PODS, {"metadata": {"name": 7}}, 400, "BadRequest", "metadata.name of type string"),
        (PODS, {"kind": "Service"}, 400, "BadRequest", "does not match the expected kind"),
        (PODS, {"spec": {"containers": []}}, 422, "Invalid", "metadata.name: Required value"),
        (PODS, {"metadata": {"name": "UPPER"}, "spec": {"containers": []}}, 422, "Invalid",
         'Pod "UPPER" is invalid'),
        (PODS, {"metadata": {"name": "p", "creationTimestamp": "2024-13-01T00:00:00Z"}}, 400,
         "BadRequest", 'metadata.creationTimestamp: parsing time "2024-13-01T00:00:00Z"'),
        (SERVICES, SERVICE, 409, "AlreadyExists", 'services "web" already exists'),
        (SERVICES, {"metadata": {"name": "two"}, "spec": SERVICE["spec"]}, 422, "Invalid",
         "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"),
        (SERVICES, {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 70000}]}}, 422,
         "Invalid", "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535"),
        (SERVICES, {"metadata": {"name": "x"},
                    "spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]}}, 422,
         "Invalid", "The range of valid ports is 30000-32767"),
        (SERVICES, {"metadata": {"name": "x"}, "spec": {"type": "Magic", "ports": [{"port": 1}]}},
         422, "Invalid", 'spec.type: Unsupported value: "Magic"'),
        (SERVICES + "?fieldValidation=Strict",
         {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 1, "tragetPort": 2}]}}, 400,
         "BadRequest", 'strict decoding error: unknown field "spec.ports[0].tragetPort"'),
        ("/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "x"}}, 404, "NotFound",
         'namespaces "nowhere" not found'),
        ("/api/v1/pods", {"metadata": {"name": "x"}}, 405, "MethodNotAllowed", "not allow"),
        ("/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"taints": [
            {"key": "a", "effect": "NoLunch"}]}}, 422, "Invalid",
         'spec.taints[0].effect: Unsupported value: "NoLunch"'),
        ("/api/v1/namespaces/default/endpoints", {"metadata": {"name": "e"}, "subsets": [
            {"addresses": [{"ip": "10.0.0.x"}], "ports": [{"port": 80}]}]}, 422, "Invalid",
         "subsets[0].addresses[0].ip: Invalid value: \"10.0.0.x\": must be a valid IP address"),
        (DEPLOYMENTS, {"metadata": {"name": "x"}}, 422, "Invalid", "spec.selector: Required value"),
        (DEPLOYMENTS, {"metadata": {"name": "x"}, "spec": {
            "selector": {"matchExpressions": [{"key": "app", "operator": "Likes"}]},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}}}},
         422, "Invalid", 'spec.selector.matchExpressions[0].operator: Unsupported value: "Likes"'),
    ],
)  # fmt: skip
def test_creating(url: str, body: Any, code: int, reason: str, words: str) -> None:
    refused("POST", url, body, code, reason, words)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("?gracePeriodSeconds=soon", None),
        ("", {"gracePeriodSeconds": 10**15}),
        ("", {"gracePeriodSeconds": {}}),
        ("", {"preconditions": "none"}),
        ("", {"preconditions": {"uid": 7}}),
        ("", {"propagationPolicy": []}),
    ],
)
def test_deleting(query: str, options: Any) -> None:
    words = "DeleteOptions cannot be read"
    refused("DELETE", f"{SERVICES}/web{query}", options, 400, "BadRequest", words)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "somewhere"]},
         'spec.loadBalancerSourceRanges[1]: Invalid value: "somewhere": must be a valid CIDR'),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/33"]},
         'spec.loadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33"'),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.1"]},
         'spec.loadBalancerSourceRanges[0]: Invalid value: "192.0.2.1"'),
        ({"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
         "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is"),
        ({"externalIPs": ["192.0.2.1", "127.0.0.9"]},
         'spec.externalIPs[1]: Invalid value: "127.0.0.9": may not be in the loopback range'),
        ({"externalIPs": ["::"]},
         'spec.externalIPs[0]: Invalid value: "::": may not be unspecified'),
        ({"externalIPs": ["fe80::1"]},
         'spec.externalIPs[0]: Invalid value: "fe80::1": may not be in the link-local range'),
        ({"externalTrafficPolicy": "Local"},
         'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally'),
        ({"sessionAffinity": "ClientIP",
          "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}},
         "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401"),
        ({"sessionAffinity": "ClientIP",
          "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
         "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0"),
    ],
)  # fmt: skip
def test_services_that_no_node_could_balance_as_they_say(spec: dict[str, Any], words: str) -> None:
    body = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}], **spec}}
    refused("POST", SERVICES, body, 422, "Invalid", words)


def test_ranges_may_have_spaces_around_them_and_external_addresses_a_policy() -> None:
    async def story(cluster: Cluster) -> None:
        spec = {"ports": [{"port": 80}], "externalIPs": ["192.0.2.9"],
                "externalTrafficPolicy": "Local"}  # fmt: skip
        reply = await cluster.post(SERVICES, {"metadata": {"name": "outside"}, "spec": spec})
        assert reply.code == 201, reply.body
        spec = {"ports": [{"port": 80}], "type": "LoadBalancer",
                "loadBalancerSourceRanges": [" 10.0.0.0/8 ", "2001:db8::/32"]}  # fmt: skip
        reply = await cluster.post(SERVICES, {"metadata": {"name": "padded"}, "spec": spec})
        assert reply.code == 201, reply.body

    with_cluster(story)


def test_all_mistakes_of_an_object_are_told_at_once() -> None:
    async def story(cluster: Cluster) -> None:
        ports = [{"port": 70000, "name": "a"}, {"port": 80, "name": "a", "protocol": "ICMP"}]
        spec = {"type": "Magic", "ports": ports, "externalIPs": ["10.0.0.256"]}
        reply = await cluster.post(SERVICES, {"metadata": {"name": "7up"}, "spec": spec})
        assert sorted(cause["field"] for cause in reply.body["details"]["causes"]) == [
            "metadata.name", "spec.externalIPs[0]", "spec.ports[0].port", "spec.ports[1].name",
            "spec.ports[1].protocol", "spec.type",
        ]  # fmt: skip

    with_cluster(story)


@pytest.mark.parametrize(
    ("media", "body", "code", "words"),
    [
        (MERGE, b"{", 400, ""),
        (MERGE, {"spec": {"clusterIP": "10.96.0.77"}}, 422, "may not change once set"),
        (MERGE, {"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified"),
        (MERGE, {"metadata": {"name": "other"}}, 400, "does not match the name on the URL"),
        (MERGE, [1, 2], 400, "not an object"),
        (JSON_PATCH, {"op": "add"}, 400, "list of operations"),
        (JSON_PATCH, [{"op": "fly", "path": "/a"}], 400, "decoding patch"),
        (JSON_PATCH, [{"op": "remove", "path": "/nothing"}], 422, "rejected"),
        (JSON_PATCH, [{"op": "test", "path": "/kind", "value": "Pod"}], 422, "rejected"),
        (JSON_PATCH, [{"op": "add", "path": 5}], 400, "decoding patch"),
        (STRATEGIC, [1], 400, "is an object"),
        (STRATEGIC, {"spec": {"ports": [7]}}, 400, "are objects"),
        (STRATEGIC, {"spec": {"ports": [{"name": "x"}]}}, 400, "declared merge key: port"),
        (STRATEGIC, {"metadata": {"$setElementOrder/finalizers": 3}}, 400, "decoding patch"),
        (STRATEGIC, {"metadata": {"$deleteFromPrimitiveList/finalizers": 3}}, 400, "decoding"),
        (STRATEGIC, {"spec": {"$retainKeys": 3}}, 400, "decoding patch"),
        (APPLY, b"a: [1", 400, "YAML"),
        (APPLY, b"a: &x 1\nb: *x", 400, "aliases"),
        (APPLY, b"metadata: {name: web}", 422, "fieldManager"),
        ("text/plain", b"hello", 415, "unknown format"),
        ("application/xml", b"<a/>", 415, "unknown format"),
    ],
)
def test_patching(media: str, body: Any, code: int, words: str) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(SERVICES, SERVICE)
        reply = await cluster.call("PATCH", f"{SERVICES}/web", body, media=media)
        assert reply.code == code, reply.body
        assert words in reply.message

    with_cluster(story)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("PUT", f"{DEPLOYMENTS}/web/scale", {"spec": "many"}),
        ("PUT", f"{DEPLOYMENTS}/web/scale", {"metadata": [1], "spec": {"replicas": 1}}),
        ("PUT", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": True}}),
        ("PUT", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}),
        ("PUT", f"{POOLS}/blue", {"metadata": "blue"}),
        ("POST", f"{PODS}/one/eviction", {"deleteOptions": "now"}),
    ],
)
def test_parts_of_a_wrong_shape(method: str, url: str, body: Any) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, DEPLOYMENT)
        await cluster.post(POOLS, POOL)
        await cluster.post(PODS, pod("one"))
        reply = await cluster.call(method, url, body)
        assert reply.code in (400, 422), reply.body
        assert reply.body["kind"] == "Status"

    with_cluster(story, *cilium_crds.definitions())


def test_a_token_is_required() -> None:
    refused("GET", PODS, None, 401, "Unauthorized", "Unauthorized", token="wrong")


def test_a_form_that_is_not_spoken() -> None:
    media = "application/vnd.kubernetes.protobuf"
    refused("GET", PODS, None, 406, "NotAcceptable", "application/json", accept=media)


def test_a_body_without_end_is_refused() -> None:
    refused("POST", PODS, b"[" * (4 << 20), 413, "RequestEntityTooLarge", "limit")


def test_a_definition_has_one_schema_for_all_items() -> None:
    url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    many = json.dumps(DEFINITION).replace('{"type": "string"}', '[{"type": "string"}]')
    words = "properties.tags.items of type map"
    refused("POST", url, json.loads(many), 400, "BadRequest", words)


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("IPv4", "fd00::7", "must be a valid IPv4 address"),
        ("IPv6", "10.0.0.7", "must be a valid IPv6 address"),
        ("IPv4", "ten", "must be a valid IPv4 address"),
        ("Telephone", "10.0.0.7", 'addressType: Unsupported value: "Telephone"'),
    ],
)
def test_slices_whose_addresses_are_of_another_type(kind: str, address: str, words: str) -> None:
    endpoints = [{"addresses": ["fd00::1" if kind == "IPv6" else "10.0.0.1", address]}]
    body = {"metadata": {"name": "x"}, "addressType": kind, "endpoints": endpoints, "ports": []}
    refused("POST", SLICES, body, 422, "Invalid", words)


def test_an_address_of_a_load_balancer_that_is_none() -> None:
    body = {"status": {"loadBalancer": {"ingress": [{"ip": "172.16.10"}]}}}
    words = 'status.loadBalancer.ingress[0].ip: Invalid value: "172.16.10": must be a valid IP'
    url = f"{SERVICES}/web/status"
    refused("PATCH", url, body, 422, "Invalid", words, media=MERGE)
