"""Moments and spans of time, as the command reads and writes them."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.hubble.cli import times


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("StampMilli", "Nov  5 07:08:09.012"),
        ("YearMonthDay", "2023-11-05"),
        ("YearMonthDayHour", "2023-11-05T07Z"),
        ("YearMonthDayHourMinute", "2023-11-05T07:08Z"),
        ("RFC3339", "2023-11-05T07:08:09Z"),
        ("RFC3339Milli", "2023-11-05T07:08:09.012Z"),
        ("RFC3339Micro", "2023-11-05T07:08:09.01235Z"),
        ("RFC3339Nano", "2023-11-05T07:08:09.012350001Z"),
        ("RFC1123Z", "Sun, 05 Nov 2023 07:08:09 +0000"),
    ],
)
def test_time_formats_are_written_and_read(layout: str, text: str) -> None:
    at = 1_699_168_089_012_350_001
    assert times.write(at, layout) == text
    back = times.parse(text, now=at)
    assert 0 <= at - back < 86_400 * 10**9
    assert times.write(back, layout) == text


def test_durations() -> None:
    assert [times.duration(each) for each in ("5s", "1h30m", "1.5s", "10ms")] == [
        5 * 10**9,
        5400 * 10**9,
        1_500_000_000,
        10_000_000,
    ]
    with pytest.raises(InputError, match="invalid duration '5'"):
        times.duration("5")
    assert [times.span(each * 10**9) for each in (0, 59, 60, 3661)] == [
        "0s",
        "59s",
        "1m0s",
        "1h1m1s",
    ]
