"""The web application: the page, and one stream of events for each browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.errors import InputError
from lab.hubble.ui.document import assemble
from lab.hubble.ui.filter_text import Choice
from lab.hubble.ui.headers import SafeHeaders
from lab.hubble.ui.hub import Hub
from lab.hubble.ui.viewer import Blind, View

TICK = 0.3
"""Seconds between two looks at what is new."""

SOONEST = 0.02
"""The same after a view's first flow: others follow it closely, and the map should be whole soon.
Every pause is twice the one before it, up to TICK."""

HEARTBEAT = 50
"""Ticks after which a silent stream shows that it is alive."""

MOST_ENTRIES = 32


def application(hub: Hub) -> Starlette:
    """The application over a hub, which it reads while it runs."""
    document = assemble()

    @asynccontextmanager
    async def reading(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(hub.read()), asyncio.create_task(hub.watch())]
        yield
        for task in tasks:
            task.cancel()

    async def page(request: Request) -> Response:
        hub.look()
        return document.answer(request)

    async def stream(request: Request) -> Response:
        try:
            view = View(_choice(request), frozenset(request.query_params.getlist("hide")))
        except InputError as exc:
            # An answer with any other status would make the browser give up without a word.
            return _events(_problem(hub, str(exc)))
        return _events(follow(hub, view))

    async def flow(request: Request) -> Response:
        found = hub.find(request.path_params["uuid"])
        if found is None:
            return JSONResponse({"problem": "this flow is not kept any more"}, 404)
        return JSONResponse(MessageToDict(found, preserving_proto_field_name=True))

    return Starlette(
        routes=[
            Route("/healthz", _health),
            Route("/api/stream", stream),
            Route("/api/flows/{uuid}", flow),
            Route("/", page),
            Route("/{namespace}", page),
        ],
        middleware=[Middleware(SafeHeaders, policy=document.policy)],
        lifespan=reading,
    )


async def _health(_request: Request) -> Response:
    return Response("ok\n", media_type="text/plain")


def _choice(request: Request) -> Choice:
    query = request.query_params
    entries = tuple(query.getlist("filter"))
    if len(entries) > MOST_ENTRIES:
        raise InputError(f"{len(entries)} filters at once: at most {MOST_ENTRIES} are possible")
    return Choice(query.get("namespace", ""), query.get("verdict", ""), entries)


def _events(content: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(
        content, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def follow(hub: Hub, view: View) -> AsyncIterator[str]:
    """Server-sent events until the browser goes."""
    hub.join(view)
    try:
        silent, pause = 0, SOONEST
        while True:
            chunks = [f"event: {event}\ndata: {data}\n\n" for event, data in view.tick(hub)]
            silent = 0 if chunks else silent + 1
            if silent >= HEARTBEAT:
                chunks, silent = [": alive\n\n"], 0
            if chunks:
                yield "".join(chunks)
            if view.has_flows.is_set():
                await asyncio.sleep(pause)
                pause = min(2 * pause, TICK)
            else:
                await _is_set(view.has_flows, within=TICK)
    finally:
        hub.leave(view)


async def _is_set(event: asyncio.Event, within: float) -> None:
    """Return when the event is set, after `within` seconds in any case."""
    try:
        await asyncio.wait_for(event.wait(), within)
    except asyncio.TimeoutError:
        return


async def _problem(hub: Hub, text: str) -> AsyncIterator[str]:
    """Why no flow will come, and then what can be told all the same."""
    yield f"event: problem\ndata: {json.dumps({'problem': text})}\n\n"
    async for chunk in follow(hub, Blind()):
        yield chunk
