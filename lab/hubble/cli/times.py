"""Times as the command reads and writes them, with the names that Hubble gives the formats."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from lab.errors import InputError

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")

FORMATS = (
    "StampMilli",
    "YearMonthDay",
    "YearMonthDayHour",
    "YearMonthDayHourMinute",
    "RFC3339",
    "RFC3339Milli",
    "RFC3339Micro",
    "RFC3339Nano",
    "RFC1123Z",
)

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)"
_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    rf"(?:T(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<part>\d{{1,9}}))?)?)?{_ZONE})?"
)


def duration(text: str) -> int:
    """ "1h30m", "500ms" as nanoseconds; InputError for anything else."""
    if not _DURATION.fullmatch(text):
        raise InputError(f"invalid duration {text!r}: want for example 30s, 5m or 1h30m")
    return round(sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)))


def parse(text: str, *, now: int) -> int:
    """A point in time as Unix nanoseconds: a time ago ("5m") or one of the formats."""
    if _DURATION.fullmatch(text):
        return now - duration(text)
    iso = _ISO.fullmatch(text)
    try:
        if iso is not None:
            return _from_iso(iso)
        return _from_stamp(text, now)
    except ValueError as exc:
        raise InputError(
            f"invalid time {text!r}: want a time ago such as 5m, or one of {', '.join(FORMATS)}"
        ) from exc


def write(at: int, layout: str) -> str:
    """Unix nanoseconds in one of FORMATS, in UTC."""
    seconds, nanoseconds = divmod(at, 10**9)
    time = datetime.fromtimestamp(seconds, timezone.utc)
    if layout == "StampMilli":
        stamp = f"{_MONTHS[time.month - 1]} {time.day:2} {time:%H:%M:%S}"
        return f"{stamp}.{nanoseconds // 10**6:03}"
    if layout == "RFC1123Z":
        month = _MONTHS[time.month - 1]
        return f"{_DAYS[time.weekday()]}, {time.day:02} {month} {time:%Y %H:%M:%S} +0000"
    if layout in _ISO_LAYOUTS:
        return time.strftime(_ISO_LAYOUTS[layout])
    digits = {"RFC3339": 0, "RFC3339Milli": 3, "RFC3339Micro": 6, "RFC3339Nano": 9}[layout]
    # Trailing zeros go, as Go's ".999" layouts leave them out.
    part = f"{nanoseconds:09}"[:digits].rstrip("0")
    return f"{time:%Y-%m-%dT%H:%M:%S}{'.' + part if part else ''}Z"


_ISO_LAYOUTS = {
    "YearMonthDay": "%Y-%m-%d",
    "YearMonthDayHour": "%Y-%m-%dT%HZ",
    "YearMonthDayHourMinute": "%Y-%m-%dT%H:%MZ",
}


def span(nanoseconds: int) -> str:
    """A length of time as Go writes it, to the second: "1h2m3s", "0s"."""
    seconds = (nanoseconds + 5 * 10**8) // 10**9
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _from_iso(found: re.Match[str]) -> int:
    year, month, day = (int(part) for part in found["date"].split("-"))
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    zone = found["zone"] or "Z"
    offset = timedelta()
    if zone != "Z":
        sign = -1 if zone[0] == "-" else 1
        offset = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    time = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    return int(time.timestamp()) * 10**9 + int((found["part"] or "0").ljust(9, "0"))


def _from_stamp(text: str, now: int) -> int:
    """ "Jan _2 15:04:05.000" of this year, or "Mon, 02 Jan 2006 15:04:05 -0700"."""
    if "," in text:
        return int(datetime.strptime(text, "%a, %d %b %Y %H:%M:%S %z").timestamp()) * 10**9
    year = datetime.fromtimestamp(now // 10**9, timezone.utc).year
    whole, _, part = text.partition(".")
    time = datetime.strptime(f"{year} {whole}", "%Y %b %d %H:%M:%S").replace(tzinfo=timezone.utc)
    if part and not part.isdecimal():
        raise ValueError(f"fraction {part!r}")
    return int(time.timestamp()) * 10**9 + int((part or "0").ljust(9, "0"))
