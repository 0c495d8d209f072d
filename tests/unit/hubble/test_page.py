"""The web page itself: one document, safe answers, nothing foreign in it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from lab.hubble.api import flow_pb2
from lab.hubble.ui.app import application
from lab.hubble.ui.document import STATIC, assemble

from .page_given import filled, flows


def ask(
    path: str,
    known: Sequence[flow_pb2.Flow] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    async def run() -> httpx.Response:
        hub = await filled(flows() if known is None else known)
        transport = httpx.ASGITransport(application(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hubble") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/default", "/no/such/page", "/healthz"])
def test_every_answer_lets_the_page_use_its_own_parts_only(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == (404 if path == "/no/such/page" else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_one_document_holds_all_that_the_page_is_made_of() -> None:
    page = ask("/default").text
    assert "/static/" not in page
    for part in ("class FilterBox", "class ServiceMap", ".pulse i {", "data:image/svg+xml;base64,"):
        assert part in page
    allowed = assemble().policy
    parts = [("script", "<script>"), ("script", '<script type="module">'), ("style", "<style>")]
    for kind, element in parts:
        content = page.partition(element)[2].partition(f"</{kind}>")[0]
        digest = b64encode(sha256(content.encode()).digest()).decode()
        sources = allowed.partition(f"{kind}-src ")[2].partition(";")[0].split()
        assert f"'sha256-{digest}'" in sources
    assert page.count("<script") == 2


def test_the_stream_is_opened_before_the_page_is_parsed() -> None:
    page = assemble().body.decode()
    head = page.partition("<style>")[0]
    assert "new EventSource(" in head


def test_a_browser_that_has_the_page_is_told_so() -> None:
    first = ask("/default")
    assert first.headers["content-encoding"] == "gzip"
    again = ask("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = ask("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == first.text


def test_details_of_a_flow_by_its_id() -> None:
    known = flows()
    found = ask(f"/api/flows/{known[0].uuid}", known).json()
    assert (found["uuid"], found["l4"]["TCP"]["source_port"]) == (known[0].uuid, 48278)
    assert ask("/api/flows/none").json() == {"problem": "this flow is not kept any more"}


def test_the_page_has_no_markup_from_data_and_no_foreign_resource() -> None:
    own = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".html", ".css")]
    assert len(own) > 15
    for path in own:
        if path.parent.name != "vendor":
            text = path.read_text()
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
                assert word not in text, path
            outside = text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in outside, path
            assert "https://" not in outside, path


def test_the_vendored_library_keeps_its_licence() -> None:
    licence = Path(STATIC / "vendor" / "dagre.esm.js.LICENSE.txt").read_text()
    assert "Permission is hereby granted, free of charge" in licence
