"""The host's side of a lab's start: claim the name, fork the keeper, follow the bring-up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from lab.errors import SandboxError
from lab.sandbox.cgroup import Cgroup, hierarchy
from lab.sandbox.events import Failed, PhaseEvent, Ready, decode
from lab.sandbox.keeper import LET_GO, Inherited, keep
from lab.sandbox.rundir import RunDir, claim, require_root, until_free, write_json
from lab.sandbox.supervisor import crew
from lab.topology.plan import Plan


class BringUpError(SandboxError):
    """The bring-up failed in the supervisor, which says how and with which exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Launch:
    """A lab on the leash: as a context manager, it ends with the block unless let go."""

    def __init__(self, run: RunDir, keeper: int, leash: int, events: int) -> None:
        self.run = run
        self._keeper = keeper
        self._leash: int | None = leash
        self._events = os.fdopen(events, encoding="utf-8")

    def follow(self, tell: Callable[[PhaseEvent], None]) -> float:
        """Tell each event of the bring-up; returns the seconds it took.

        BringUpError when it fails: then nothing is left of the lab but its logs.
        """
        for line in self._events:
            event = decode(line)
            if isinstance(event, Ready):
                return event.seconds
            if isinstance(event, Failed):
                self._end_by_itself()
                raise BringUpError(event.message, event.exit_code)
            tell(event)
        self._end_by_itself()
        raise SandboxError(
            f"lab {self.run.name} died while it was brought up\n"
            f"  its last words are in {self.run.log('supervisor')}"
        )

    def _end_by_itself(self) -> None:
        """Let a failed lab end; a leash that breaks first would make it remove its logs."""
        self._bury()
        self._close()

    def let_go(self) -> None:
        """Leave the lab running when this process ends; SandboxError when it has ended already."""
        if self._leash is None:
            return
        with _interrupts_held_back():
            try:
                os.write(self._leash, LET_GO)
            except BrokenPipeError as exc:
                raise SandboxError(f"lab {self.run.name} has ended") from exc
            self._close()

    def end(self) -> None:
        """End the lab, if it is still on the leash, and return when nothing is left of it."""
        with _interrupts_held_back():
            if self._leash is not None:
                self._close()
                self._bury()

    def _bury(self) -> None:
        """Wait for the end of the lab, whoever of its two undertakers is left to see to it."""
        with suppress(ChildProcessError):  # Ctrl-C may have come after an earlier call
            os.waitpid(self._keeper, 0)
        until_free(self.run)
        # Gone already, unless keeper and PID 1 were killed in the same moment.
        Cgroup.of(self.run.name).remove()

    def _close(self) -> None:
        self._events.close()
        leash, self._leash = self._leash, None
        if leash is not None:
            os.close(leash)

    def __enter__(self) -> Launch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def launch(plan: Plan, name: str) -> Launch:
    """Start a lab under a name and return at once; the caller follows its bring-up.

    The calling process must have a single thread, since it forks. InputError when the name is
    taken; MachineError when the machine has no cgroup2 or the caller is not root.
    """
    run = RunDir.of(name)
    require_root()
    hierarchy()
    with _interrupts_held_back():
        lock = claim(run)
        write_json(run.plan, plan.to_json())
        leash_end, leash = os.pipe()
        events, events_end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        keeper = os.fork()
        if keeper == 0:
            os.close(leash)
            os.close(events)
            keep(run, Inherited(lock, leash_end, events_end), crew(run, plan))
        for fd in (lock, leash_end, events_end):
            os.close(fd)
        return Launch(run, keeper, leash, events)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of the block: no half-made or half-ended lab."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        # Python raises KeyboardInterrupt here when Ctrl-C came meanwhile.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
