"""A container whose image nobody has: what `kubectl get pods` shows of it, and when."""

from __future__ import annotations

from lab.agent.pods.pulls import Pulls


def seen(until: float) -> tuple[list[tuple[float, str]], list[str]]:
    """Reasons with the times (seconds) at which they begin, and the events told meanwhile."""
    told: list[str] = []
    pulls = Pulls("ngnix", "nobody has it", lambda *words: told.append(" ".join(words)))
    now, reasons = 0.0, []
    while now < until:
        waiting, again = pulls.step(now)
        assert pulls.step((now + again) / 2) == (waiting, again), (
            "a look in between changes nothing"
        )
        reasons.append((now, waiting.reason))
        now = again
    return reasons, told


def test_pulls_and_pauses_take_turns_and_pauses_double() -> None:
    reasons, _ = seen(70)
    assert reasons == [
        (0.0, "ErrImagePull"),
        (3.0, "ImagePullBackOff"),
        (10.0, "ErrImagePull"),
        (13.0, "ImagePullBackOff"),
        (30.0, "ErrImagePull"),
        (33.0, "ImagePullBackOff"),
    ]


def test_the_longest_pause_is_five_minutes() -> None:
    reasons, _ = seen(2000)
    pulls = [at for at, reason in reasons if reason == "ErrImagePull"]
    assert pulls[-1] - pulls[-2] == 300


def test_people_are_told_once_a_change() -> None:
    _, told = seen(10)
    assert told == [
        'Normal Pulling Pulling image "ngnix"',
        'Warning Failed Failed to pull image "ngnix": nobody has it',
        "Warning Failed Error: ErrImagePull",
        'Normal BackOff Back-off pulling image "ngnix"',
        "Warning Failed Error: ImagePullBackOff",
    ]
