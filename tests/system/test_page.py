"""The web page in a real browser, in a network namespace of their own."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import pytest

from lab import shell
from lab.repository import REPOSITORY

NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""The browser's many processes end with the first one."""

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("chromedriver") is None, reason="needs Debian's chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the browser saw and did."""
    program = [sys.executable, "-m", "tests.system.page_in_browser"]
    facts: dict[str, Any] = shell.run([*NAMESPACES, *program], timeout=180, cwd=REPOSITORY).json()
    return facts


def test_cards_stand_for_who_asks_and_who_is_asked(seen: dict[str, Any]) -> None:
    assert seen["cards"] == sorted(["web1", "host", "world", EVIL])


def test_links_go_around_cards_that_they_have_nothing_to_do_with(seen: dict[str, Any]) -> None:
    assert (seen["links"], seen["links under cards"]) == (3, 0)


def test_names_are_never_markup(seen: dict[str, Any]) -> None:
    assert seen["title"] == "default · Hubble"
    assert seen["hosts"] == ["127.0.0.1:8081"]


def test_missing_nodes_are_told(seen: dict[str, Any]) -> None:
    assert seen["pulse"] == "5/6 nodes"
    assert seen["notice"] == "Node k8s-worker2 is gone: its flows are missing."


def test_the_keyboard_reaches_rows_panel_and_filters(seen: dict[str, Any]) -> None:
    assert seen["picked row"] == 1
    assert seen["panel"] == "Time"
    assert (seen["tab leads to"], seen["back at"]) == ("panel-close", "TR")
    assert seen["filtered"] == ["host", "web1"]
    assert seen["address"] == "/default?filter=from%3Aidentity%3Dhost"


def test_the_focus_stays_in_the_table_when_its_row_leaves(seen: dict[str, Any]) -> None:
    assert seen["focus of a row that left"] == "TR"


def test_beside_the_open_panel_heads_and_ages_can_be_read(seen: dict[str, Any]) -> None:
    assert seen["cut off"] == []


def test_what_the_filter_box_cannot_read_is_explained(seen: dict[str, Any]) -> None:
    assert seen["problem"] == "invalid IP address or CIDR '1.2.3.400'"
    assert seen["pulse beside a problem"] == "5/6 nodes"


def test_an_address_that_encodes_nothing_is_a_namespace_without_flows(seen: dict[str, Any]) -> None:
    assert seen["no encoding"] == "Nothing flows yet"


def test_an_address_without_a_known_column_shows_the_usual_ones(seen: dict[str, Any]) -> None:
    assert seen["heads of no known column"] == 6
