"""Kubernetes label selectors. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Labels = Mapping[str, str]


def selects(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a LabelSelector (as plain JSON) matches; None selects nothing, {} everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    name, operator = expression["key"], expression["operator"]
    values: Sequence[str] = expression.get("values") or ()
    if operator == "Exists":
        return name in labels
    if operator == "DoesNotExist":
        return name not in labels
    if operator == "In":
        return labels.get(name) in values
    return operator == "NotIn" and labels.get(name) not in values
