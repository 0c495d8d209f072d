"""A command in a container, with its streams over a connection: `kubectl exec`.

Frames and channels are those of lab.kube.kubelet_api.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import termios
from dataclasses import dataclass

from lab.agent.pods.container import Launch
from lab.agent.pods.sandbox import Sandbox
from lab.errors import LabError
from lab.kube.kubelet_api import (
    CLOSE,
    ERROR,
    HEADER,
    MAX_FRAME,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    exit_status,
    frame,
)

CHUNK = 32 * 1024


class ProtocolError(LabError):
    """The peer sent a frame that there cannot be."""


@dataclass(frozen=True)
class ExecRequest:
    """The streams that are wanted; the others read from and write to nowhere."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class ExecSession:
    """One command, from its start to the Status that ends the conversation."""

    def __init__(
        self, request: ExecRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._request = request
        self._reader = reader
        self._writer = writer
        self._stdin: int | None = None
        self._terminal: int | None = None

    async def run(self, sandbox: Sandbox, container: str, launch: Launch) -> None:
        """Returns when the command has ended, or was killed because the peer went away."""
        theirs, outputs = self._streams()
        ended = asyncio.ensure_future(sandbox.execute(container, launch, theirs))
        # The order is sent when the task first runs; only then may our copies be closed.
        await asyncio.wait({ended}, timeout=0)
        for fd in set(theirs):
            os.close(fd)
        speaking = [asyncio.ensure_future(self._send(ch, fd)) for ch, fd in outputs]
        listening = asyncio.ensure_future(self._listen())
        done, _ = await asyncio.wait({ended, listening}, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            await asyncio.gather(*speaking)
            status = json.dumps(exit_status(ended.result())).encode()
            self._writer.write(frame(ERROR, status))
            await self._writer.drain()
        for task in (ended, listening, *speaking):
            task.cancel()
        await asyncio.gather(ended, listening, *speaking, return_exceptions=True)
        self._close_stdin()

    def _streams(self) -> tuple[list[int], list[tuple[int, int]]]:
        """The command's three descriptors, and (channel, descriptor) of what it says."""
        if self._request.tty:
            ours, theirs = pty.openpty()
            self._stdin = self._terminal = ours
            return [theirs, theirs, theirs], [(STDOUT, os.dup(ours))]
        stdin_read, self._stdin = os.pipe()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        if not self._request.stdin:
            self._close_stdin()
        return [stdin_read, out_write, err_write], [(STDOUT, out_read), (STDERR, err_read)]

    async def _send(self, channel: int, fd: int) -> None:
        """Pass on what the command says until it says no more."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0)
        )
        try:
            while data := await reader.read(CHUNK):
                self._writer.write(frame(channel, data))
                await self._writer.drain()
        except OSError:
            # EIO: the last program on the terminal is gone, which is how a terminal ends.
            return
        finally:
            transport.close()

    async def _listen(self) -> None:
        """Obey the peer until it goes away."""
        while True:
            try:
                channel, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                if length > MAX_FRAME:
                    raise ProtocolError(f"exec: a frame of {length} bytes, at most {MAX_FRAME}")
                payload = await self._reader.readexactly(length)
            except (EOFError, ConnectionError):
                return
            if channel == STDIN and self._stdin is not None:
                await asyncio.to_thread(_write_all, self._stdin, payload)
            elif channel == RESIZE and self._terminal is not None:
                _resize(self._terminal, json.loads(payload))
            elif channel == CLOSE:
                self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None


def _write_all(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        return


def _resize(terminal: int, size: dict[str, int]) -> None:
    packed = struct.pack("HHHH", size["Height"], size["Width"], 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, packed)
