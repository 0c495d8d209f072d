"""One container of a pod: started, probed, killed when it ails, started again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightkube.models.core_v1 import Container, ContainerStatus

from lab.agent.bell import Bell
from lab.agent.pods.backoff import crashes_now, delay, restarts
from lab.agent.pods.container import Launch
from lab.agent.pods.ending import Ending
from lab.agent.pods.files import mounts, scratch, write_image_files
from lab.agent.pods.prober import Health, Prober
from lab.agent.pods.probing import Asker
from lab.agent.pods.pulls import Pulls
from lab.agent.pods.sandbox import Process, Sandbox
from lab.agent.pods.spec import ERR_IMAGE_PULL, Program, Refusal
from lab.agent.pods.status import ContainerView

RETRY = 10.0
"""Seconds until a container that cannot be made is looked at again."""


@dataclass(frozen=True)
class Surroundings:
    """What all containers of a pod share."""

    sandbox: Sandbox
    directory: Path
    policy: str | None
    grace: float
    bell: Bell
    asker: Callable[[str], Asker]
    """Who probes the container of that name."""
    tell: Callable[[str, str, str, str], None]
    """News for people: container, kind, reason, message."""
    reported: Callable[[str], ContainerStatus | None]
    """What the API was last told of the container of that name, when this agent began."""


class ContainerRun:
    """Runs one container as its pod's restart policy wants; `step` is called until it is done."""

    def __init__(
        self,
        spec: Container,
        program: Program | Refusal,
        around: Surroundings,
        *,
        initial: bool,
        first: int = 0,
    ) -> None:
        """`first`: the number of the first attempt, where an earlier sandbox had others."""
        self._first = first
        self.spec = spec
        self._program = program
        self._around = around
        self._initial = initial
        self._prober: Prober | None = None
        self._last: Process | None = None
        self._waiting: Refusal | None = None
        self._crashes = 0
        self._counted: int | None = None
        """The attempt whose end is in `_crashes` already."""
        self._ending: Ending | None = None
        self._pulls: Pulls | None = None
        if isinstance(program, Refusal) and program.reason == ERR_IMAGE_PULL:
            self._pulls = Pulls(spec.image or "", program.message, self._tell)

    @property
    def program(self) -> Program | None:
        """What the container runs; None where it cannot be started."""
        return self._program if isinstance(self._program, Program) else None

    @property
    def directory(self) -> Path:
        return self._around.directory / self.spec.name

    @property
    def process(self) -> Process | None:
        return self._around.sandbox.processes.get(self.spec.name)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.code is None

    @property
    def next_attempt(self) -> int:
        return self.process.attempt + 1 if self.process else self._first

    @property
    def finished(self) -> bool:
        """Ended, and its pod does not want it back."""
        code = self.process.code if self.process else None
        return code is not None and not self._wanted_back(code)

    def view(self) -> ContainerView:
        health = self._prober.health if self._prober else None
        return ContainerView(
            spec=self.spec,
            attempt=self.process.attempt if self.process else self._first,
            process=self.process,
            last=self._last,
            waiting=self._waiting,
            started=bool(health and health.started and self.running),
            ready=bool(health and health.ready and self.running)
            or (self._initial and self.process is not None and self.process.code == 0),
        )

    def step(self, now: float) -> float | None:
        """Do what is due; the time (Unix seconds) of the next thing to do, if it is known."""
        process = self.process
        if process is None:
            return self._start(self._first, now)
        if process.code is None:
            return self._keep(now)
        self._stop_probing()
        self._stop_ending()
        if not self._wanted_back(process.code):
            return None
        return self._restart(process, process.code, now)

    def end(self, now: float, grace: float) -> float | None:
        """Lead the program out; when it will be killed if it has not ended by then."""
        if not self.running or self.program is None:
            self._stop_probing()
            return None
        if self._ending is None:
            self._probed().leave()
            self._ending = self._begin_ending(grace, self.program)
        self._ending.hurry(now + grace)
        if now < self._ending.deadline:
            return self._ending.deadline
        self._around.sandbox.kill(self.spec.name, signal.SIGKILL)
        return None

    def _begin_ending(self, grace: float, program: Program) -> Ending:
        name = self.spec.name
        self._tell("Normal", "Killing", f"Stopping container {name}")
        return Ending(
            self.spec,
            self._around.asker(name),
            grace,
            ask=lambda: self._around.sandbox.kill(name, program.image.stop_signal),
            failed=lambda why: self._tell("Warning", "FailedPreStopHook", f"PreStopHook: {why}"),
        )

    def close(self) -> None:
        """Let go of the container; it runs on."""
        self._stop_probing()
        self._stop_ending()

    def _wanted_back(self, code: int) -> bool:
        policy = (
            "OnFailure" if self._initial and self._around.policy != "Never" else self._around.policy
        )
        return restarts(policy, code)

    def _start(self, attempt: int, now: float) -> float | None:
        if isinstance(self._program, Refusal):
            return self._refuse(self._program, now)
        self._waiting = None
        write_image_files(self.directory, self._program.image)
        self.directory.mkdir(parents=True, exist_ok=True)
        launch = Launch(
            argv=list(self._program.argv),
            env=dict(self._program.env),
            cwd=self._program.cwd,
            log=str(self.directory / f"{attempt}.log"),
            mounts=mounts(self._around.directory, self.directory, self._program.image),
            scratch=scratch(),
        )
        self._around.sandbox.start(self.spec.name, attempt, launch)
        self._tell(
            "Normal", "Pulled", f'Container image "{self.spec.image}" already present on machine'
        )
        self._tell("Normal", "Created", f"Created container: {self.spec.name}")
        self._tell("Normal", "Started", f"Started container {self.spec.name}")
        return None

    def _refuse(self, why: Refusal, now: float) -> float:
        if self._pulls is not None:
            self._waiting, again = self._pulls.step(now)
            return again
        if self._waiting is None:
            self._tell("Warning", "Failed", why.message)
        self._waiting = why
        return now + RETRY

    def _keep(self, now: float) -> float | None:
        if self._ending is not None:
            return self.end(now, self._around.grace)
        ailing = self._probed().health.ailing
        if not ailing:
            return None
        self._tell("Warning", "Unhealthy", ailing)
        return self.end(now, self._around.grace)

    def _probed(self) -> Prober:
        """The probes of the run that is on."""
        if self._prober is None:
            asker = self._around.asker(self.spec.name)
            known = self._known_health()
            self._prober = Prober(self.spec, asker, self._around.bell, known, self._tell)
        return self._prober

    def _known_health(self) -> Health:
        """What the API was told of this very run: an agent that comes back doubts nothing."""
        before = self._around.reported(self.spec.name)
        if before is None or self.process is None or before.restartCount != self.process.attempt:
            return Health()
        return Health(started=bool(before.started), ready=before.ready)

    def _restart(self, process: Process, code: int, now: float) -> float | None:
        if self._counted != process.attempt:
            self._counted = process.attempt
            known = self._crashes or process.attempt
            self._crashes = crashes_now(known, process.finished - process.started)
        due = process.finished + delay(self._crashes)
        if now >= due:
            self._last = process
            return self._start(process.attempt + 1, now)
        pause = round(delay(self._crashes))
        if self._waiting is None:
            why = f"Back-off restarting failed container {self.spec.name}"
            self._tell("Warning", "BackOff", why)
        self._waiting = Refusal(
            "CrashLoopBackOff",
            f"back-off {pause}s restarting failed container {self.spec.name}, last code {code}",
        )
        self._last = process
        return due

    def _tell(self, kind: str, reason: str, message: str) -> None:
        self._around.tell(self.spec.name, kind, reason, message)

    def _stop_probing(self) -> None:
        if self._prober is not None:
            self._prober.stop()
            self._prober = None

    def _stop_ending(self) -> None:
        if self._ending is not None:
            self._ending.give_up()
            self._ending = None
