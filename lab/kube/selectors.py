"""Label and field selectors: their text (as in a URL) and their object form (as in a spec)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.kube.status import bad_request

_TERM = re.compile(
    r"""\s*(?:
      (?P<absent>!)\s*(?P<gone>[\w./-]+)
    | (?P<key>[\w./-]+)\s*(?:
        (?P<op>==|=|!=)\s*(?P<value>[\w./-]*)
      | \s(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<compare>[<>])\s*(?P<number>-?\d+)
      )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Requirement:
    """One condition on a label or a field, by one of In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        if self.operator in ("Exists", "DoesNotExist"):
            return (value is not None) == (self.operator == "Exists")
        pair = (value, *self.values)
        if len(pair) != 2 or not all(re.fullmatch(r"-?\d{1,18}", text or "") for text in pair):
            return False
        number, bound = map(int, (value or "", self.values[0]))
        return number > bound if self.operator == "Gt" else number < bound


Selector = tuple[Requirement, ...]
"""All must match; the empty one matches everything."""


def matches(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    have = labels or {}
    return all(requirement.matches(have) for requirement in selector)


def parse(text: str) -> Selector:
    """`a=b,c!=d,e in (f,g),!h,i`; ApiError 400 for anything else."""
    found: list[Requirement] = []
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None or term.end() == position:
            raise bad_request(f"unable to parse requirement: found {text[position:]!r}")
        found.append(_requirement(term))
        position = term.end()
    return tuple(found)


def _requirement(term: re.Match[str]) -> Requirement:
    if term["absent"]:
        return Requirement(term["gone"], "DoesNotExist")
    if term["op"]:
        return Requirement(term["key"], "NotIn" if term["op"] == "!=" else "In", (term["value"],))
    if term["set"]:
        values = tuple(value.strip() for value in term["values"].split(","))
        return Requirement(term["key"], "In" if term["set"] == "in" else "NotIn", values)
    if term["compare"]:
        return Requirement(term["key"], "Gt" if term["compare"] == ">" else "Lt", (term["number"],))
    return Requirement(term["key"], "Exists")


def from_object(selector: Mapping[str, Any] | None) -> Selector | None:
    """A LabelSelector (matchLabels, matchExpressions); None stays None, which selects nothing."""
    if selector is None:
        return None
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return (
        *(Requirement(key, "In", (value,)) for key, value in sorted(labels.items())),
        *(Requirement(e["key"], e["operator"], tuple(e.get("values") or ())) for e in expressions),
    )


def from_labels(labels: Mapping[str, str]) -> Selector:
    """The plain map that a Service selects by."""
    return tuple(Requirement(key, "In", (value,)) for key, value in sorted(labels.items()))


def text(selector: Selector) -> str:
    """The selector as kubectl prints it: `a=b,c in (d,e),!f`."""
    return ",".join(_text(requirement) for requirement in selector)


def _text(requirement: Requirement) -> str:
    key, values = requirement.key, ",".join(requirement.values)
    forms = {
        "In": f"{key}={values}" if len(requirement.values) == 1 else f"{key} in ({values})",
        "NotIn": f"{key}!={values}" if len(requirement.values) == 1 else f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
        "Gt": f"{key}>{values}",
        "Lt": f"{key}<{values}",
    }
    return forms[requirement.operator]


def parse_fields(text: str, allowed: Sequence[str]) -> Selector:
    """`spec.nodeName=a,status.phase!=Running`, as conditions on paths instead of labels; ApiError
    400 for a path the kind does not offer.
    """
    terms = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", part)
        if found is None:
            raise bad_request(f"invalid field selector {part!r}: expected path=value")
        path, operator, value = found.groups()
        if path not in ("metadata.name", "metadata.namespace", *allowed):
            raise bad_request(f"field label not supported: {path}")
        terms.append(Requirement(path, "NotIn" if operator == "!=" else "In", (value,)))
    return tuple(terms)


def fields_match(selector: Selector, obj: Mapping[str, Any]) -> bool:
    """Whether the values at the selector's paths are as it wants them."""
    return all(term.matches({term.key: _field(obj, term.key)}) for term in selector)


_FLAGS = ("spec.unschedulable", "spec.hostNetwork")
"""Booleans that a selector finds as `false` where an object leaves them out."""


def _field(obj: Any, path: str) -> str:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, Mapping) else None
    if isinstance(obj, bool) or (obj is None and path in _FLAGS):
        return str(bool(obj)).lower()
    return "" if obj is None else str(obj)
