"""What a service asks for that nobody here knows: it is served as if it had not asked."""

from __future__ import annotations

from collections.abc import Mapping

from lab.agent.refused import Refused
from lab.bpf.codes import Algorithm

KIND = "Service"
REASON = "ServiceNotHeeded"

ALGORITHM = "service.cilium.io/lb-algorithm"
FORWARDING = "service.cilium.io/forwarding-mode"
RANGES_POLICY = "service.cilium.io/src-ranges-policy"
"""Annotations, Cilium's."""

ALGORITHMS = {"random": Algorithm.RANDOM, "maglev": Algorithm.MAGLEV}
DSR = {"dsr": True, "snat": False}
RANGES_DENY = {"allow": False, "deny": True}
"""What they may say."""

_CHOICES: Mapping[str, Mapping[str, object]] = {
    ALGORITHM: ALGORITHMS,
    FORWARDING: DSR,
    RANGES_POLICY: RANGES_DENY,
}


def mistakes(annotations: Mapping[str, str]) -> list[str]:
    """Every annotation whose value is none of those that there are."""
    return [
        f"annotation {name}: there is no {annotations[name]!r}, "
        f"only {' and '.join(sorted(values))}; the default counts"
        for name, values in _CHOICES.items()
        if annotations.get(name) and annotations[name] not in values
    ]


def refused(service: str, problems: list[str]) -> Refused:
    """A complaint about a service, by namespace/name."""
    return Refused(KIND, service, problems, verdict="is not heeded in full", reason=REASON)
