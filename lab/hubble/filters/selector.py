"""Kubernetes label selectors over Cilium's labels ("k8s:app=web1", "reserved:host").

Grammar: requirements joined by commas, each `key`, `!key`, `key=value`, `key==value`,
`key!=value`, `key in (a,b)` or `key notin (a,b)`; a key may name its source ("k8s:app"),
otherwise a label of any source will do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from lab.errors import InputError

Selector = Callable[[tuple[str, ...]], bool]

_REQUIREMENT = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[^\s=!,()]+)
      | (?P<set_key>[^\s=!,()]+)\s+(?P<set_op>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>[^\s=!,()]+)\s*(?:(?P<op>==|!=|=)\s*(?P<value>[^\s=!,()]*))?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def parse(text: str) -> Selector:
    """Compile a selector; InputError shows where it cannot be read."""
    requirements = []
    at = 0
    while at < len(text):
        found = _REQUIREMENT.match(text, at)
        if found is None or found.end() == at:
            raise InputError(f"label selector {text!r}: cannot read {text[at:]!r}")
        requirements.append(_requirement(found))
        at = found.end()
    if not requirements:
        raise InputError("label selector is empty: want key, key=value or key in (a,b)")
    if len(requirements) == 1:
        return requirements[0]
    return lambda labels: all(requirement(labels) for requirement in requirements)


def _requirement(found: re.Match[str]) -> Selector:
    if found["absent"]:
        absent = found["absent_key"]
        return lambda labels: not _values(labels, absent)
    if found["set_op"]:
        key = found["set_key"]
        wanted = frozenset(value.strip() for value in found["values"].split(","))
        if found["set_op"] == "in":
            return lambda labels: not wanted.isdisjoint(_values(labels, key))
        return lambda labels: wanted.isdisjoint(_values(labels, key))
    key, value = found["key"], found["value"]
    if found["op"] is None:
        return lambda labels: bool(_values(labels, key))
    if found["op"] == "!=":
        return lambda labels: value not in _values(labels, key)
    return lambda labels: value in _values(labels, key)


def _values(labels: Iterable[str], key: str) -> list[str]:
    """Values of all labels with this key; "any:" and no source at all mean every source."""
    source, colon, name = key.partition(":")
    if not colon or source == "any":
        source, name = "", name or key
    values = []
    for label in labels:
        label_source, _, rest = label.partition(":")
        label_name, _, value = rest.partition("=")
        if label_name == name and source in ("", label_source):
            values.append(value)
    return values
