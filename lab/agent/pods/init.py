"""PID 1 of a pod: holds its namespaces, starts and reaps its containers, remembers how they ended.

    python -m lab.agent.pods.init DIRECTORY

makes network, PID, mount, UTS and IPC namespaces, leaves the new PID 1 (as this process sees it)
in DIRECTORY/pid and a listening socket in DIRECTORY/pod.sock, and ends. The agent talks to the
socket in lines of JSON (see lab.agent.pods.sandbox); PID 1 answers every line, and every change
of a container, with one line: the state of all containers. It does not care whether anybody
listens: an agent that comes back finds everything that happened.

Little is imported here: there is one such process a pod.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from lab.agent.pods.container import NOT_STARTED, Launch, launch, launch_exec
from lab.agent.pods.recording import Recorder, Recorders
from lab.sandbox.orphans import give_up_orphans_soon
from lab.sandbox.syscalls import Mount, Namespace, mount, set_process_name, unshare

SOCKET = "pod.sock"
PID = "pid"
LOG = "init.log"
MAX_LINE = 1 << 20
MAX_FDS = 3


class PodInit:
    """The one loop of a pod's PID 1."""

    def __init__(self, listener: socket.socket) -> None:
        self.selector = selectors.DefaultSelector()
        self.listener = listener
        self.clients: dict[socket.socket, bytes] = {}
        self.containers: dict[str, dict[str, Any]] = {}
        self.pids: dict[int, dict[str, Any]] = {}
        self.logs = Recorders(self.selector)
        self.received: list[int] = []
        """Descriptors for the next command: a read never gets those of two orders."""

    def run(self) -> None:
        """Serve until told to stop; the end of PID 1 ends every process of the pod."""
        wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(wake, selectors.EVENT_READ)
        self.selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select(self.logs.timeout):
                if key.fileobj == wake:
                    os.read(wake, 4096)
                elif key.fileobj is self.listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._read(key.fileobj)
                elif isinstance(key.data, Recorder):
                    self.logs.hear(key.data)
            self.logs.wake()
            self._reap()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        self.clients[client] = b""
        self.selector.register(client, selectors.EVENT_READ)
        self._tell([client])

    def _read(self, client: socket.socket) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(client, 65536, MAX_FDS)
        except ConnectionError:
            data, fds = b"", []
        self.received += fds
        buffer = self.clients[client] + data
        if not data or len(buffer) > MAX_LINE:
            self._drop(client)
            return
        *lines, self.clients[client] = buffer.split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        self._tell(list(self.clients))

    def _drop(self, client: socket.socket) -> None:
        self.selector.unregister(client)
        del self.clients[client]
        client.close()

    def _obey(self, order: dict[str, Any]) -> None:
        name = order.get("name", "")
        if order["do"] == "start":
            self._start(name, order["attempt"], order["launch"])
        elif order["do"] == "exec":
            self._execute(name, order["container"], Launch(**order["launch"]))
        elif order["do"] == "kill":
            self._kill(name, order["signal"])
        elif order["do"] == "forget":
            self.containers.pop(name, None)
        elif order["do"] == "stop":
            sys.exit(0)

    def _start(self, name: str, attempt: int, words: dict[str, Any]) -> None:
        """Start an attempt once: the agent asks again when it looks before it was answered."""
        known = self.containers.get(name)
        if known is None or known["attempt"] < attempt:
            what = Launch(**words)
            output = self.logs.begin(what.log)
            self._watch(name, launch(what, output), attempt)
            os.close(output)

    def _execute(self, name: str, container: str, what: Launch) -> None:
        """Run a command with the descriptors that came with the order, perhaps behind others."""
        fds, self.received = self.received, []
        beside = self.containers.get(container)
        if beside is None or beside["code"] is not None or len(fds) < MAX_FDS:
            now = time.time()
            refused = {"attempt": 0, "started": now, "finished": now, "code": NOT_STARTED}
            self.containers[name] = {"pid": 0, **refused}
        else:
            self._watch(name, launch_exec(beside["pid"], what, fds), 0)
        for fd in fds:
            os.close(fd)

    def _watch(self, name: str, pid: int, attempt: int) -> None:
        record = {"pid": pid, "attempt": attempt, "started": time.time(), "code": None}
        self.containers[name] = self.pids[pid] = record

    def _kill(self, name: str, number: int) -> None:
        record = self.containers.get(name)
        if record is None or record["code"] is not None:
            return
        try:
            # Each container leads a process group: its helpers hear of it as well.
            os.killpg(record["pid"], number)
        except ProcessLookupError:
            # It was forked this moment and leads no group yet.
            os.kill(record["pid"], number)

    def _reap(self) -> None:
        """Collect every dead child: containers, and orphans that fell to PID 1."""
        news = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            record = self.pids.pop(pid, None)
            if record is not None:
                code = os.waitstatus_to_exitcode(status)
                record |= {"code": code if code >= 0 else 128 - code, "finished": time.time()}
                news = True
        if news:
            self.logs.drain()
            self._tell(list(self.clients))

    def _tell(self, clients: list[socket.socket]) -> None:
        line = json.dumps(self.containers).encode() + b"\n"
        for client in clients:
            try:
                client.sendall(line)
            except OSError:
                self._drop(client)


def main(directory: Path, hostname: str) -> None:
    """Become two processes: the one that ends, and the pod's PID 1."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (directory / SOCKET).unlink(missing_ok=True)
    listener.bind(str(directory / SOCKET))
    listener.listen()
    unshare(Namespace.NET | Namespace.PID | Namespace.MOUNT | Namespace.UTS | Namespace.IPC)
    give_up_orphans_soon()
    pid = os.fork()
    if pid:
        fresh = directory / f".{PID}"
        fresh.write_text(str(pid))
        fresh.replace(directory / PID)
        # Without the interpreter's farewell: the child is on its own now.
        os._exit(0)
    os.setsid()
    set_process_name("pod-init")
    # The parent's standard streams are pipes that somebody waits to see closed.
    log = os.open(directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    socket.sethostname(hostname)
    mount("none", "/", None, Mount.RECURSIVE | Mount.PRIVATE)
    mount("proc", "/proc", "proc", Mount.NO_SUID | Mount.NO_DEV | Mount.NO_EXEC)
    PodInit(listener).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
