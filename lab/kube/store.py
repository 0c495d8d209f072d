"""Objects in memory, every acknowledged write in SQLite, every change told to the listeners.

Single-threaded by design: one event loop reads and writes, so a change is one step and needs no
lock. Stored objects are never modified in place; a writer hands over a new one and keeps its
hands off it. SQLite journals without syncing: a killed process loses nothing it acknowledged,
a machine that loses power may (a lab does not survive that anyway).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" for what has none) and name."""

HISTORY = 4096
"""Changes that a watch can resume from; older ones answer "relist"."""

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT, namespace TEXT, name TEXT, body BLOB, PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revision (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER);
"""


@dataclass(frozen=True)
class Stored:
    """An object at one revision, with the bytes that lists and watches send."""

    object: Object
    raw: bytes
    revision: int


@dataclass(frozen=True)
class Change:
    """`old` is None for a creation, `new` for a deletion."""

    kind: str
    key: Key
    old: Stored | None
    new: Stored | None
    revision: int
    gone: Stored | None = None
    """The last state of a deleted object, at the revision of its deletion."""


Listener = Callable[[Change], None]


class Store:
    """All objects by kind and key. `kind` is a plural with its group."""

    def __init__(self, path: Path | str) -> None:
        self._kinds: dict[str, dict[Key, Stored]] = defaultdict(dict)
        self._labels: dict[tuple[str, str, str, str], set[Key]] = defaultdict(set)
        self._owned: dict[str, set[tuple[str, Key]]] = defaultdict(set)
        self._uids: dict[str, tuple[str, Key]] = {}
        self._listeners: list[Listener] = []
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._encode = msgspec.json.Encoder().encode
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLE)
        self.revision = self._load()
        self._oldest = self.revision
        """The revision before the first change that the history holds."""

    def get(self, kind: str, key: Key) -> Stored | None:
        return self._kinds[kind].get(key)

    def all(self, kind: str, namespace: str = "") -> list[tuple[Key, Stored]]:
        """Objects in the order of their keys; of one namespace, or of all for ""."""
        found = self._kinds[kind].items()
        if namespace:
            return sorted((k, s) for k, s in found if k[0] == namespace)
        return sorted(found, key=_first)

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> list[Key]:
        """Keys of the objects of a namespace that carry a label: an index, not a search."""
        return sorted(self._labels.get((kind, namespace, label, value), ()))

    def owned(self, uid: str) -> list[tuple[str, Key]]:
        """Kind and key of every object that names this uid in an owner reference."""
        return sorted(self._owned.get(uid, ()))

    def owners(self) -> list[str]:
        """Every uid that some object names as its owner, there or not."""
        return list(self._owned)

    def by_uid(self, uid: str) -> tuple[str, Key, Stored] | None:
        """Kind, key and object of a uid."""
        place = self._uids.get(uid)
        return (*place, self._kinds[place[0]][place[1]]) if place else None

    def put(self, kind: str, key: Key, obj: Object) -> Stored:
        """Create or replace; stamps metadata.resourceVersion into the object it is given."""
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        stored = Stored(obj, self._encode(obj), revision)
        self._write(
            revision, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (kind, *key, stored.raw)
        )
        old = self._kinds[kind].get(key)
        self._index(kind, key, old, stored)
        self._kinds[kind][key] = stored
        self._tell(Change(kind, key, old, stored, revision))
        return stored

    def remove(self, kind: str, key: Key) -> Stored:
        """Delete; KeyError when it is not there. Returns the last state, at a new revision."""
        old = self._kinds[kind][key]
        revision = self.revision + 1
        last = {
            **old.object,
            "metadata": {**old.object["metadata"], "resourceVersion": str(revision)},
        }
        gone = Stored(last, self._encode(last), revision)
        self._write(
            revision, "DELETE FROM objects WHERE kind=? AND namespace=? AND name=?", (kind, *key)
        )
        del self._kinds[kind][key]
        self._index(kind, key, old, None)
        self._tell(Change(kind, key, old, None, revision, gone))
        return gone

    def listen(self, listener: Listener) -> None:
        """Call the listener with each change from now on, in order."""
        self._listeners.append(listener)

    def replay(self, listener: Listener) -> None:
        """Tell a listener of every object there is, as if each had just been created."""
        for kind, found in self._kinds.items():
            for key, stored in found.items():
                listener(Change(kind, key, None, stored, stored.revision))

    def ignore(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def since(self, revision: int) -> Iterable[Change] | None:
        """Changes after a revision; None when the history does not reach back to it."""
        if revision < self._oldest or revision > self.revision:
            return None
        return [change for change in self._history if change.revision > revision]

    def close(self) -> None:
        self._db.close()

    def _load(self) -> int:
        decode = msgspec.json.Decoder().decode
        for kind, namespace, name, body in self._db.execute("SELECT * FROM objects"):
            obj = decode(body)
            stored = Stored(obj, body, int(obj["metadata"]["resourceVersion"]))
            self._kinds[kind][(namespace, name)] = stored
            self._index(kind, (namespace, name), None, stored)
        row = self._db.execute("SELECT value FROM revision").fetchone()
        return int(row[0]) if row else 1

    def _write(self, revision: int, statement: str, values: tuple[Any, ...]) -> None:
        self._db.execute("BEGIN")
        self._db.execute(statement, values)
        self._db.execute("INSERT OR REPLACE INTO revision VALUES (1, ?)", (revision,))
        self._db.execute("COMMIT")
        self.revision = revision

    def _tell(self, change: Change) -> None:
        if len(self._history) == HISTORY:
            self._oldest = self._history[0].revision
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    def _index(self, kind: str, key: Key, old: Stored | None, new: Stored | None) -> None:
        before, after = _labels(old), _labels(new)
        for label, value in before.items() - after.items():
            _drop(self._labels, (kind, key[0], label, value), key)
        for label, value in after.items() - before.items():
            self._labels[(kind, key[0], label, value)].add(key)
        if new is None and old:
            self._uids.pop(old.object["metadata"]["uid"], None)
        elif new:
            self._uids[new.object["metadata"]["uid"]] = (kind, key)
        owners, wanted = _owners(old), _owners(new)
        for uid in owners - wanted:
            _drop(self._owned, uid, (kind, key))
        for uid in wanted - owners:
            self._owned[uid].add((kind, key))


def _first(item: tuple[Key, Stored]) -> Key:
    return item[0]


def _labels(stored: Stored | None) -> dict[str, str]:
    return (stored.object["metadata"].get("labels") or {}) if stored else {}


def _owners(stored: Stored | None) -> set[str]:
    references = stored.object["metadata"].get("ownerReferences") or [] if stored else []
    return {reference["uid"] for reference in references}


def _drop(index: dict[Any, set[Any]], slot: Any, member: Any) -> None:
    index[slot].discard(member)
    if not index[slot]:
        del index[slot]
