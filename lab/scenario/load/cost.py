"""What a fault cost a steady load, counted from the attempts that its program tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True)
class Attempt:
    """One request. Times are seconds of CLOCK_MONOTONIC."""

    start: float
    seconds: float
    connection: str
    """`fresh`, or which of the kept connections."""
    outcome: str
    lost: int
    """Segments that it sent in vain."""
    source: str
    """Its own end, as tcpdump writes it."""

    @property
    def end(self) -> float:
        return self.start + self.seconds

    def of_client(self, number: int) -> Attempt:
        """The same with a connection's name that no other client uses."""
        return replace(self, connection=f"{number}.{self.connection}")

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


def attempts(lines: Sequence[str]) -> list[Attempt]:
    """Read what the load told, in the order of the attempts' starts."""
    found = []
    for line in lines:
        words = line.split()
        if len(words) == 6:
            start, seconds, connection, outcome, lost, source = words
            found.append(
                Attempt(float(start), float(seconds), connection, outcome, int(lost), source)
            )
    return sorted(found, key=lambda attempt: attempt.start)


@dataclass(frozen=True)
class Cost:
    """What happened to the load. Seconds count from the fault."""

    attempted: int
    """New connections."""
    failed: int
    outcomes: tuple[tuple[str, int], ...]
    """Failed ones by how they failed, most frequent first."""
    kept: int
    """Connections that were open when the fault came."""
    broken: int
    recovered_after: float
    """Start of the last new connection that failed; 0 when none did."""
    silence: float
    """The longest time in which no new connection was answered."""
    lost: int
    """Segments that the clients sent in vain, over all connections."""

    def __str__(self) -> str:
        if self.failed:
            how = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes)
            told = (
                f"{self.failed} of {self.attempted} new connections failed ({how}), the last of "
                f"them {self.recovered_after:.2f} s after the fault"
            )
        else:
            told = f"{self.attempted} new connections, none failed"
        if self.kept:
            told += f"; {self.broken} of {self.kept} open connections broke"
        return f"{told}; the longest time without an answer was {self.silence:.2f} s"


def cost(seen: Sequence[Attempt], fault: float) -> Cost:
    """Count what the load met from the fault on; `fault` is a CLOCK_MONOTONIC time."""
    fresh = [a for a in seen if a.connection == "fresh"]
    after = [a for a in fresh if a.end >= fault]
    failed = [a for a in after if not a.ok]
    kept = {a.connection for a in seen if a.connection != "fresh" and a.ok and a.end < fault}
    broken = {a.connection for a in seen if not a.ok and a.end >= fault} & kept
    return Cost(
        attempted=len(after),
        failed=len(failed),
        outcomes=tuple(Counter(a.outcome for a in failed).most_common()),
        kept=len(kept),
        broken=len(broken),
        recovered_after=max((a.start - fault for a in failed), default=0.0),
        silence=_silence(fresh, fault),
        lost=sum(a.lost for a in seen if a.end >= fault),
    )


def _silence(fresh: Sequence[Attempt], fault: float) -> float:
    """The longest gap between two answers that ends after the fault."""
    answers = sorted(a.end for a in fresh if a.ok)
    gaps = pairwise(answers)
    return max((late - early for early, late in gaps if late >= fault), default=0.0)
