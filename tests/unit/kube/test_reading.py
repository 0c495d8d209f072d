"""Lists, selections, tables and watches, as clients use them."""

from __future__ import annotations

import asyncio

import pytest

from lab.kube import watch
from tests.unit.kube.cluster import MERGE, Cluster, with_cluster
from tests.unit.kube.objects import MAPS, PODS, TABLE, config, pod


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("?labelSelector=app=a", ["a"]),
        ("?labelSelector=app!=a", ["b", "c"]),
        ("?labelSelector=app%20in%20(a,c)", ["a", "c"]),
        ("?labelSelector=!app", []),
        ("?fieldSelector=metadata.name=b", ["b"]),
        ("?fieldSelector=metadata.name!=b", ["a", "c"]),
    ],
)
def test_selection(query: str, names: list[str]) -> None:
    async def story(cluster: Cluster) -> None:
        for name in "abc":
            await cluster.post(MAPS, config(name))
        items = (await cluster.get(MAPS + query)).body["items"]
        assert [item["metadata"]["name"] for item in items] == names

    with_cluster(story)


def test_lists_in_chunks() -> None:
    async def story(cluster: Cluster) -> None:
        for name in "abcde":
            await cluster.post(MAPS, config(name))
        seen, token = [], ""
        while True:
            page = (await cluster.get(f"{MAPS}?limit=2&continue={token}")).body
            seen += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
            assert page["metadata"]["remainingItemCount"] == 5 - len(seen)
        assert seen == list("abcde")

    with_cluster(story)


def test_watch_resumes_where_the_list_ended() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(MAPS, config("before"))
        revision = (await cluster.get(MAPS)).body["metadata"]["resourceVersion"]
        await cluster.post(MAPS, config("a"))
        await cluster.call("PATCH", f"{MAPS}/a", {"data": {"x": "y"}}, media=MERGE)
        change = {"metadata": {"labels": {"app": "z"}}}
        await cluster.call("PATCH", f"{MAPS}/a", change, media=MERGE)
        await cluster.call("DELETE", f"{MAPS}/a")

        watch = cluster.watch(f"{MAPS}?watch=1&resourceVersion={revision}")
        events = [await watch.__anext__() for _ in range(4)]
        assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
        revisions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        assert revisions == sorted(set(revisions))

        only = cluster.watch(f"{MAPS}?watch=1&labelSelector=app=a&resourceVersion={revision}")
        events = [await only.__anext__() for _ in range(3)]
        assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]

    with_cluster(story)


def test_watch_tells_what_happens_while_it_lasts() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(MAPS, config("a"))
        watch = cluster.watch(f"{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true")
        first, mark = await watch.__anext__(), await watch.__anext__()
        assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
        notes = mark["object"]["metadata"]["annotations"]
        assert (mark["type"], notes) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
        await cluster.post(MAPS, config("b"))
        event = await watch.__anext__()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")

    with_cluster(story)


def test_tables_name_their_columns_and_carry_metadata() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(PODS, pod("p"))
        table = (await cluster.get(PODS, accept=TABLE)).body
        names = [c["name"] for c in table["columnDefinitions"] if not c["priority"]]
        assert names == ["Name", "Ready", "Status", "Restarts", "Age"]
        row = table["rows"][0]
        assert row["cells"][:4] == ["p", "0/1", "Pending", "0"]
        assert row["object"]["kind"] == "PartialObjectMetadata"

    with_cluster(story)


def test_a_storm_comes_in_few_pieces_and_a_single_change_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "BURST", 2)
    monkeypatch.setattr(watch, "WINDOW", 3600.0)
    monkeypatch.setattr(watch, "PACE", 2.0)

    async def story(cluster: Cluster) -> None:
        pieces: list[int] = []

        async def read() -> None:
            async for chunk in cluster.chunks(f"{MAPS}?watch=1"):
                pieces.append(chunk.count(b"\n"))
                if sum(pieces) == 5:
                    return

        reading = asyncio.ensure_future(read())
        await cluster.settle()
        for number in range(5):
            await cluster.post(MAPS, config(f"m{number}"))
            await cluster.settle()
            assert pieces == [1, 1][: number + 1]
        await asyncio.wait_for(reading, 60)
        assert pieces == [1, 1, 3]

    with_cluster(story)
