"""What there is before anybody applies anything: credentials, objects, discovery."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import yaml

from lab.controllers.bootstrap import kubernetes_service, objects
from lab.kube.credentials import credentials
from lab.kube.kinds import BUILT_IN
from lab.kube.rules import schema
from lab.operator import cilium_crds, installation
from lab.topology.plan import Cluster
from tests.system.kube.served import plan
from tests.unit.kube.cluster import Cluster as Server
from tests.unit.kube.cluster import with_cluster

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def cluster() -> Cluster:
    found = plan().cluster
    assert found is not None
    return found


def test_credentials_are_made_once_and_trusted_by_a_strict_client(tmp_path: Path) -> None:
    first = credentials(tmp_path, "192.168.1.10")
    second = credentials(tmp_path, "192.168.1.10")
    assert first == second
    assert len(first.token) >= 32
    assert first.kubeconfig.stat().st_mode & 0o077 == 0
    assert first.key_file.stat().st_mode & 0o077 == 0
    config = yaml.safe_load(first.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://192.168.1.10:6443"
    assert config["users"][0]["user"]["token"] == first.token
    context = ssl.create_default_context(cafile=str(first.ca_file))
    (authority,) = context.get_ca_certs()
    assert ("IP Address", "192.168.1.10") in authority["subjectAltName"]


def test_the_first_objects_of_a_lab() -> None:
    made = [*objects(plan()), *installation.objects(plan())]
    by_kind: dict[str, list[str]] = {}
    for obj in made:
        by_kind.setdefault(obj["kind"], []).append(obj["metadata"]["name"])
    assert by_kind["Namespace"] == ["default", "kube-system", "kube-public", "kube-node-lease"]
    assert by_kind["Node"] == ["k8s-master1", "k8s-worker1", "k8s-worker2"]
    assert by_kind["Service"][0] == by_kind["Endpoints"][0] == "kubernetes"
    assert "bgp-config" in by_kind["ConfigMap"]
    assert len(by_kind["CustomResourceDefinition"]) == 9


def test_the_api_server_is_a_service() -> None:
    service, endpoints, _ = kubernetes_service(cluster())
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "127.0.0.1"}]


def test_every_kind_has_a_schema_with_its_metadata() -> None:
    for resource in BUILT_IN:
        assert "metadata" in schema.of(resource)["properties"], resource.kind
    assert len(schema.definitions()) > 200


def test_the_first_objects_pass_the_servers_own_checks() -> None:
    kinds = {(r.api_version, r.kind): r for r in BUILT_IN}
    for obj in objects(plan()):
        findings = schema.check(kinds[obj["apiVersion"], obj["kind"]], obj)
        assert not findings.unknown, obj["metadata"]["name"]
        assert not findings.types, obj["metadata"]["name"]


def test_both_forms_of_discovery_tell_the_same() -> None:
    async def story(server: Server) -> None:
        legacy, aggregated = set(), set()
        groups = (await server.get("/apis")).body["groups"]
        roots = ["/api/v1"]
        roots += [f"/apis/{v['groupVersion']}" for g in groups for v in g["versions"]]
        for root in roots:
            for entry in (await server.get(root)).body["resources"]:
                legacy.add((root, entry["name"]))
        for start in ("/api", "/apis"):
            for group in (await server.get(start, accept=AGGREGATED)).body["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    root = f"/apis/{name}/{version['version']}" if name else "/api/v1"
                    aggregated |= _names(root, version["resources"])
        assert legacy == aggregated
        assert ("/api/v1", "pods/exec") in legacy
        assert ("/apis/cilium.io/v2alpha1", "ciliumbgppeeringpolicies") in legacy

    with_cluster(story, *cilium_crds.definitions())


def _names(root: str, resources: list[Any]) -> set[tuple[str, str]]:
    found = set()
    for entry in resources:
        found.add((root, entry["resource"]))
        found |= {(root, f"{entry['resource']}/{s['subresource']}") for s in entry["subresources"]}
    return found


def test_openapi_says_what_clients_look_for() -> None:
    async def story(server: Server) -> None:
        listed = (await server.get("/openapi/v3")).body["paths"]
        url = listed["apis/apps/v1"]["serverRelativeURL"]
        third = (await server.get(url)).body
        operation = third["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
        names = [p["name"] for p in operation["patch"]["parameters"]]
        assert {"dryRun", "fieldValidation"} <= set(names)
        second = (await server.get("/openapi/v2")).body
        ports = second["definitions"]["ServiceSpec"]["properties"]["ports"]
        assert ports["x-kubernetes-patch-merge-key"] == "port"
        kinds = second["definitions"]["Deployment"]["x-kubernetes-group-version-kind"]
        assert kinds == [{"group": "apps", "version": "v1", "kind": "Deployment"}]
        old = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        raw = (await server.get("/openapi/v2", accept=old)).body
        assert raw.startswith(b"\x0a\x032.0")
        assert b"com.github" not in raw
        assert b"x-kubernetes-group-version-kind" in raw

    with_cluster(story)
