from __future__ import annotations

import os

import pytest

from lab.errors import InputError
from lab.sandbox.events import (
    Event,
    EventWriter,
    Failed,
    PhaseEvent,
    Ready,
    decode,
    encode,
    failure,
)


@pytest.mark.parametrize(
    "event",
    [
        PhaseEvent("network", "done", 0.25),
        Ready(2.5),
        Failed("first line\n  second line", 3),
    ],
)
def test_an_event_survives_its_line(event: Event) -> None:
    line = encode(event)
    assert "\n" not in line
    assert decode(line) == event


def test_a_failure_carries_the_errors_exit_code() -> None:
    assert failure(InputError("bad")) == Failed("bad", 2)


def test_the_reader_sees_the_events_and_the_end() -> None:
    reader, writer = os.pipe()
    events = EventWriter(writer)
    events.send(Ready(1.0))
    events.close()
    events.send(Ready(2.0))
    with os.fdopen(reader) as lines:
        assert [decode(line) for line in lines] == [Ready(1.0)]


def test_a_reader_that_went_away_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    events = EventWriter(writer)
    events.send(Ready(1.0))
    events.send(Ready(2.0))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)
