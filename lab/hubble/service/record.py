"""The Recorder service: packets of this node's events into a pcap file on the node."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import grpc

from lab.errors import InputError
from lab.hubble.api import recorder_pb2
from lab.hubble.observer import Observer
from lab.hubble.recording import SNAP_LENGTH, PacketFilter, Recording

REPORT = 1.0
"""Seconds between two reports on a running recording."""

_PREFIX = re.compile(r"[a-z][a-z0-9]{0,19}")


class RecordService:
    """recorder.Recorder. One stream is one recording; the file stays when it ends."""

    def __init__(self, observer: Observer, directory: Path | None) -> None:
        self._observer = observer
        self._directory = directory

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Record": self.record}

    def record(
        self, requests: Iterator[recorder_pb2.RecordRequest], context: grpc.ServicerContext
    ) -> Iterator[recorder_pb2.RecordResponse]:
        """Start on the first request; stop on the second, on a limit, or when the client goes."""
        try:
            first = next(requests)
            recording, seconds = self._start(first)
        except StopIteration:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the stream holds no request")
        except InputError as exc:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        except OSError as exc:
            context.abort(grpc.StatusCode.INTERNAL, f"cannot write the recording: {exc}")
        context.add_callback(recording.done.set)
        threading.Thread(
            target=_await_stop, args=(requests, recording), name="hubble-record", daemon=True
        ).start()
        self._observer.add_tap(recording.take)
        try:
            ends = time.monotonic() + seconds
            yield self._running(recording)
            while not recording.done.wait(min(REPORT, max(ends - time.monotonic(), 0))):
                if time.monotonic() >= ends:
                    break
                yield self._running(recording)
        finally:
            self._observer.remove_tap(recording.take)
            recording.stop()
        yield self._stopped(recording)

    def _start(self, request: recorder_pb2.RecordRequest) -> tuple[Recording, float]:
        """The recording and the seconds that it may last."""
        if request.WhichOneof("request_type") != "start":
            raise InputError("the first request of a recording must be start")
        if self._directory is None:
            raise InputError("this node has no directory for recordings")
        start = request.start
        if not start.include:
            raise InputError("a recording needs at least one filter")
        limit = start.stop_condition
        elapsed = limit.time_elapsed.ToNanoseconds() / 10**9
        self._directory.mkdir(parents=True, exist_ok=True)
        recording = Recording(
            path=self._directory / self._file_name(start.filesink.file_prefix),
            filters=[_filter(each) for each in start.include],
            max_length=min(start.max_capture_length or SNAP_LENGTH, SNAP_LENGTH),
            max_packets=limit.packets_captured_count,
            max_bytes=limit.bytes_captured_count,
        )
        return recording, elapsed if elapsed > 0 else float(threading.TIMEOUT_MAX)

    def _file_name(self, prefix: str) -> str:
        if prefix and not _PREFIX.fullmatch(prefix):
            raise InputError(f"invalid file prefix {prefix!r}: want {_PREFIX.pattern}")
        unique = secrets.token_hex(4)
        node = self._observer.node_name
        return f"{prefix or 'hubble'}_{int(time.time())}_{unique}_{node}.pcap"

    def _running(self, recording: Recording) -> recorder_pb2.RecordResponse:
        response = self._response()
        response.running.stats.CopyFrom(_stats(recording))
        return response

    def _stopped(self, recording: Recording) -> recorder_pb2.RecordResponse:
        response = self._response()
        response.stopped.stats.CopyFrom(_stats(recording))
        response.stopped.filesink.file_path = str(recording.path)
        return response

    def _response(self) -> recorder_pb2.RecordResponse:
        response = recorder_pb2.RecordResponse(node_name=self._observer.node_name)
        response.time.FromNanoseconds(time.time_ns())
        return response


def _await_stop(requests: Iterator[recorder_pb2.RecordRequest], recording: Recording) -> None:
    """Any further request, the end of the stream and a client that is gone all mean stop."""
    try:
        next(requests, None)
    except grpc.RpcError:
        return
    finally:
        recording.done.set()


def _stats(recording: Recording) -> recorder_pb2.RecordingStatistics:
    return recorder_pb2.RecordingStatistics(
        packets_captured=recording.packets, bytes_captured=recording.bytes
    )


def _filter(message: recorder_pb2.Filter) -> PacketFilter:
    try:
        return PacketFilter(
            source=ip_network(message.source_cidr, strict=False),
            destination=ip_network(message.destination_cidr, strict=False),
            source_port=message.source_port,
            destination_port=message.destination_port,
            protocol=message.protocol,
        )
    except ValueError as exc:
        raise InputError(f"invalid network in a recording's filter: {exc}") from exc
