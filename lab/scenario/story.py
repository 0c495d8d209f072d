"""What a scenario file says: a lab to bring up, and steps to take in it.

A file in `scenarios/` makes one Scenario and adds its steps with a decorator. The function is
what to do and what must hold, its docstring is what a person reads before it happens:

    scenario = Scenario("What ping tells", manifests=("web1.yaml",))

    @scenario.step("Nobody answers")
    def silence(stage: Stage) -> None:
        \"\"\"The address is on no interface ...\"\"\"
        answer = ping.read(stage.show("client1", "ping -c 3 172.16.10.0"))
        stage.holds("no reply came", answer.received, 0)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.scenario.stage import Stage

Act = Callable[["Stage"], None]


@dataclass(frozen=True)
class Step:
    """One act of a scenario with the words that explain it."""

    title: str
    words: str
    act: Act


@dataclass
class Scenario:
    """A lab and the steps to take in it, in order."""

    title: str
    topology: str = "basic"
    profile: str = "cilium-1.10"
    options: Mapping[str, object] = field(default_factory=dict)
    """Options of the topology, as `lab up` takes them."""
    manifests: tuple[str, ...] = ()
    """Files of the scenarios' folder, applied with kubectl before the first step."""
    steps: list[Step] = field(default_factory=list)

    def step(self, title: str) -> Callable[[Act], Act]:
        """Add the decorated function as the next step; its docstring becomes the step's words."""

        def add(act: Act) -> Act:
            self.steps.append(Step(title, inspect.cleandoc(act.__doc__ or ""), act))
            return act

        return add
