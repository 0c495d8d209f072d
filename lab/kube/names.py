"""Names, hashes and times as Kubernetes makes them."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec

SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, so that no generated name spells anything."""

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character"
)
SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)

AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]

_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def suffix() -> str:
    """Five random characters, as generateName appends."""
    return "".join(secrets.choice(SAFE) for _ in range(5))


def template_hash(template: dict[str, Any], collisions: int = 0) -> str:
    """The pod-template-hash of a Deployment's template: FNV-1a, spelled in safe characters."""
    value = 0x811C9DC5
    data = _encode_sorted(template) + (str(collisions).encode() if collisions else b"")
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(SAFE[ord(digit) % len(SAFE)] for digit in str(value))


def now(later: float = 0) -> str:
    """The time (or so many seconds later) as a metav1.Time: UTC, whole seconds."""
    when = datetime.now(timezone.utc) + timedelta(seconds=later)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """A Time or MicroTime (RFC 3339); ValueError for what is none."""
    try:
        return msgspec.convert(text, AwareTime)
    except msgspec.ValidationError as exc:
        raise ValueError(f"{text!r} is no time: {exc}") from exc


def seconds_since(text: str) -> float:
    """Seconds between a Time and now."""
    return (datetime.now(timezone.utc) - parse_time(text)).total_seconds()
