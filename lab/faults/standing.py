"""Faults that stand in a lab: struck, mended, and found by whoever comes later.

What undoes a fault is worked out and written down in the lab before it strikes. So it can be
mended to how it was before even when the process that struck it is no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from lab.errors import InputError, LabError
from lab.faults import acts
from lab.faults.fault import Fault
from lab.sandbox.place import Place


@dataclass(frozen=True)
class Standing:
    """A fault that was struck, and what undoes it, in order."""

    words: str
    undo: tuple[acts.Command | acts.Request, ...]

    def mend(self, lab: Place) -> None:
        """Undo it; it is struck out when all of it is undone."""
        for act in self.undo:
            act.undo(lab)
        lab.ask("forget-fault", words=self.words)


def strike(lab: Place, fault: Fault) -> Standing:
    """Break something. InputError or MachineError when it cannot be: nothing has changed then.

    What mends itself is not written down: it does not stand.
    """
    standing = Standing(fault.words, tuple(fault.undo(lab)))
    if not standing.undo:
        fault.strike(lab)
        return standing
    undo = acts.written(standing.undo)
    lab.ask("note-fault", words=fault.words, alters=fault.alters, undo=undo)
    try:
        fault.strike(lab)
    except LabError:
        # What it was refused for, mending may be refused for as well.
        with suppress(LabError):
            standing.mend(lab)
        lab.ask("forget-fault", words=standing.words)
        raise
    return standing


@contextmanager
def struck(lab: Place, fault: Fault) -> Iterator[Standing]:
    """Something is broken for the length of a `with` block, and mended after it, come what may."""
    standing = strike(lab, fault)
    try:
        yield standing
    finally:
        standing.mend(lab)


def standing(lab: Place) -> list[Standing]:
    """The faults that stand, oldest first."""
    told = lab.ask("standing-faults")["faults"]
    return [Standing(one["words"], tuple(acts.read(one["undo"]))) for one in told]


def find(lab: Place, words: str) -> Standing:
    """The standing fault with these words; InputError tells which do stand."""
    there = standing(lab)
    for one in there:
        if one.words == words:
            return one
    known = "; ".join(one.words for one in there) or "none"
    raise InputError(f"this fault does not stand: {words}\n  those that do: {known}")


def clear(lab: Place) -> list[Standing]:
    """Mend all faults, the newest first, and return them; those that cannot be stay written down.

    LabError with all that went wrong.
    """
    mended, wrong = [], []
    for one in reversed(standing(lab)):
        try:
            one.mend(lab)
            mended.append(one)
        except LabError as error:
            wrong.append(f"{one.words}: {error}")
    if wrong:
        raise LabError("not mended:\n  " + "\n  ".join(wrong))
    return mended
