"""The Recorder service of the relay: one recording on every connected node at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from lab.hubble.api import recorder_pb2
from lab.hubble.relay.pool import Node, Pool
from lab.hubble.service import table as services

Response = recorder_pb2.RecordResponse


class RelayRecorder:
    """recorder.Recorder over a pool of nodes. Each node writes a file of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Record": self.record}

    async def record(
        self,
        requests: AsyncIterator[recorder_pb2.RecordRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[Response]:
        """The reports of all nodes as they come, until the recording of the last one stopped."""
        nodes = self._pool.connected()
        if not nodes:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no node is connected")
        first = await anext_or_none(requests)
        if first is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the stream holds no request")
            return
        stop = asyncio.Event()
        reports: asyncio.Queue[Response | BaseException | None] = asyncio.Queue()
        tasks = [
            asyncio.create_task(_await_stop(requests, stop)),
            *(asyncio.create_task(_record(node, first, stop, reports)) for node in nodes),
        ]
        try:
            recording = len(nodes)
            while recording:
                report = await reports.get()
                if report is None:
                    recording -= 1
                elif isinstance(report, grpc.aio.AioRpcError):
                    await context.abort(report.code(), report.details() or "")
                elif isinstance(report, Response):
                    yield report
        finally:
            for task in tasks:
                task.cancel()


async def anext_or_none(
    requests: AsyncIterator[recorder_pb2.RecordRequest],
) -> recorder_pb2.RecordRequest | None:
    """The next request, None at the end of the stream."""
    async for request in requests:
        return request
    return None


async def _await_stop(
    requests: AsyncIterator[recorder_pb2.RecordRequest], stop: asyncio.Event
) -> None:
    """A further request and the end of the stream both mean stop."""
    await anext_or_none(requests)
    stop.set()


async def _record(
    node: Node,
    first: recorder_pb2.RecordRequest,
    stop: asyncio.Event,
    reports: asyncio.Queue[Response | BaseException | None],
) -> None:
    """One node's recording, its reports into the queue, and at last None."""

    async def requests() -> AsyncIterator[recorder_pb2.RecordRequest]:
        yield first
        await stop.wait()
        yield recorder_pb2.RecordRequest(stop=recorder_pb2.StopRecording())

    call = services.call(node.channel, services.RECORDER, "Record")
    try:
        async for report in call(requests()):
            await reports.put(report)
    except grpc.aio.AioRpcError as exc:
        # A node that goes away ends its own recording only; a refusal concerns all.
        if exc.code() is not grpc.StatusCode.UNAVAILABLE:
            await reports.put(exc)
    await reports.put(None)
