"""Small texts: selectors, ages, statuses, columns."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kube import selectors
from lab.kube.names import parse_time, template_hash
from lab.kube.printing.age import age, duration
from lab.kube.printing.cells import external_ip, pod_status
from lab.kube.printing.jsonpath import walk
from lab.kube.status import ApiError


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b,c)", {"a": "c"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a=", {"a": ""}, True),
        ("n>3,n<5", {"n": "4"}, True),
        ("n>3", {"n": "x"}, False),
        ("x.io/a-b_c=1.2,d", {"x.io/a-b_c": "1.2", "d": "e"}, True),
        ("", {}, True),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], matches: bool) -> None:
    assert selectors.matches(selectors.parse(text), labels) is matches


@pytest.mark.parametrize("values", [[], ["x"], ["1", "2"]])
def test_a_comparison_with_no_number_matches_nothing(values: list[str]) -> None:
    expression = {"key": "n", "operator": "Gt", "values": values}
    wanted = selectors.from_object({"matchExpressions": [expression]})
    assert wanted is not None
    assert not selectors.matches(wanted, {"n": "5"})


@pytest.mark.parametrize("text", ["a===b", "=b", "a in b", "a in (b", "a b", ",", "a>x", "a,,b"])
def test_selectors_that_are_none(text: str) -> None:
    with pytest.raises(ApiError):
        selectors.parse(text)


def test_a_selector_object_prints_as_kubectl_prints_it() -> None:
    given = {
        "matchLabels": {"b": "c", "a": "b"},
        "matchExpressions": [
            {"key": "d", "operator": "In", "values": ["e", "f"]},
            {"key": "g", "operator": "DoesNotExist"},
        ],
    }
    wanted = selectors.from_object(given)
    assert wanted is not None
    assert selectors.text(wanted) == "a=b,b=c,d in (e,f),!g"
    assert selectors.from_object(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"), (119, "119s"), (120, "2m"), (192, "3m12s"), (600, "10m"), (10799, "179m"),
        (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"),
        (2 * 86400, "2d"), (7 * 86400 + 3 * 3600, "7d3h"), (8 * 86400, "8d"),
        (729 * 86400, "729d"), (730 * 86400, "2y"), (800 * 86400, "2y70d"), (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_ages(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def _pod(status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"metadata": meta, "spec": {"containers": [{}]}, "status": status}


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        (_pod({"phase": "Pending"}), "Pending"),
        (_pod({"phase": "Running", "containerStatuses": [
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}), "CrashLoopBackOff"),
        (_pod({"phase": "Failed", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 7}}}]}), "ExitCode:7"),
        (_pod({"phase": "Failed", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 137, "signal": 9}}}]}), "Signal:9"),
        (_pod({"phase": "Running"}, deletionTimestamp="2024-01-01T00:00:00Z"), "Terminating"),
        (_pod({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
    ],
)  # fmt: skip
def test_the_status_of_a_pod_in_one_word(pod: dict[str, Any], text: str) -> None:
    assert pod_status(pod) == text


@pytest.mark.parametrize(
    ("spec", "ingress", "text"),
    [
        ({"type": "ClusterIP"}, [], "<none>"),
        ({"type": "LoadBalancer"}, [], "<pending>"),
        ({"type": "LoadBalancer"}, [{"ip": "172.16.10.0"}], "172.16.10.0"),
        ({"type": "LoadBalancer", "externalIPs": ["192.0.2.9"]}, [{"ip": "1.2.3.4"}],
         "1.2.3.4,192.0.2.9"),
        ({"type": "ExternalName", "externalName": "db.example"}, [], "db.example"),
    ],
)  # fmt: skip
def test_external_ip(spec: dict[str, Any], ingress: list[Any], text: str) -> None:
    assert external_ip({"spec": spec, "status": {"loadBalancer": {"ingress": ingress}}}) == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.size", 3),
        (".items[1].name", "b"),
        ('.items[?(@.name=="a")].n', 1),
        (".metadata['a.b/c']", "x"),
        (".metadata.a\\.b/c", None),
        (".items[7].name", None),
        (".spec.size.deeper", None),
    ],
)
def test_paths_of_printer_columns(path: str, value: Any) -> None:
    obj = {
        "spec": {"size": 3},
        "metadata": {"a.b/c": "x"},
        "items": [{"name": "a", "n": 1}, {"name": "b"}],
    }
    assert walk(obj, path) == value


def test_times_with_short_fractions() -> None:
    assert parse_time("2024-01-01T00:00:00.5Z").microsecond == 500_000
    assert parse_time("2024-01-01T00:00:00.123456789+01:00").microsecond == 123_457
    assert parse_time("2024-01-01T00:00:00Z").tzinfo is not None


@pytest.mark.parametrize(
    "text", ["", "now", "2024-01-01", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z"]
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text)
    assert age(text) == ("<invalid>" if text else "<unknown>")


def test_the_hash_of_a_template_is_its_contents_alone() -> None:
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1})
    assert template_hash({"a": 1}) != template_hash({"a": 2})
    assert set(template_hash({"a": 1})) <= set("bcdfghjklmnpqrstvwxz2456789")
