"""Which IP families a Service has: what its author wrote, completed or refused. Pure.

Facts from Kubernetes' "IPv4/IPv6 dual-stack" and pkg/registry/core/service/storage/alloc.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lab.kube.status import Cause

Object = dict[str, Any]

FAMILIES = ("IPv4", "IPv6")
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
POLICIES = (PREFER, REQUIRE, SINGLE)
NONE = "None"
"""The cluster IP of a headless Service."""


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def complete(spec: Object, before: Object, configured: Sequence[str]) -> list[Cause]:
    """Fill in `ipFamilyPolicy` and `ipFamilies` of a spec; returns what they may not be.

    `before` is the spec that this one replaces, or empty; `configured` are the cluster's families,
    its main one first. `clusterIPs` has what the author asks for; where the policy becomes
    SingleStack, the second address and family go.
    """
    headless = spec["clusterIPs"][:1] == [NONE]
    selectorless = headless and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        usual = REQUIRE if selectorless else SINGLE
        spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy", usual)
    families = spec["ipFamilies"] = list(spec.get("ipFamilies") or before.get("ipFamilies") or ())
    causes = list(_malformed(spec)) or list(_released(spec, before)) + list(_single(spec))
    if causes:
        return causes
    if not headless:
        families += [family_of(each) for each in spec["clusterIPs"][len(families) :]]
    if not selectorless:
        causes = list(_unconfigured(spec, configured))
    if causes:
        return causes
    if not families:
        families.append(configured[0])
    if spec["ipFamilyPolicy"] != SINGLE and (selectorless or len(configured) == 2):
        families += [other for other in FAMILIES if other not in families]
    return []


def _malformed(spec: Object) -> Iterator[Cause]:
    families, addresses = spec["ipFamilies"], spec["clusterIPs"]
    for index, family in enumerate(families):
        if family in families[:index]:
            yield Cause.duplicate(f"spec.ipFamilies[{index}]", family)
    if len(addresses) > 2:
        yield Cause.invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")
    elif NONE in addresses and len(addresses) > 1:
        text = "'None' must be the first and only value"
        yield Cause.invalid("spec.clusterIPs", addresses, text)
    elif len(addresses) == 2 and len(set(map(family_of, addresses))) == 1:
        text = "may specify no more than one IP for each IP family"
        yield Cause.invalid("spec.clusterIPs", addresses, text)
    for index, (family, address) in enumerate(zip(families, addresses, strict=False)):
        if address != NONE and family_of(address) != family:
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield Cause.invalid(f"spec.clusterIPs[{index}]", address, text)


def _released(spec: Object, before: Object) -> Iterator[Cause]:
    """One family fewer than before is what SingleStack says, and nothing else may."""
    for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        now, then = spec[name], before.get(name) or []
        if spec["ipFamilyPolicy"] == SINGLE and now == then:
            del now[1:]
        elif spec["ipFamilyPolicy"] != SINGLE and 0 < len(now) < len(then):
            text = f"must be 'SingleStack' to release the secondary {what}"
            yield Cause.invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], text)


def _single(spec: Object) -> Iterator[Cause]:
    for name, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")):
        if spec["ipFamilyPolicy"] == SINGLE and len(spec[name]) > 1:
            text = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are"
            yield Cause.invalid("spec.ipFamilyPolicy", SINGLE, f"{text} specified")


def _unconfigured(spec: Object, configured: Sequence[str]) -> Iterator[Cause]:
    if spec["ipFamilyPolicy"] == REQUIRE and len(configured) < 2:
        text = "this cluster is not configured for dual-stack services"
        yield Cause.invalid("spec.ipFamilyPolicy", REQUIRE, text)
    for index, family in enumerate(spec["ipFamilies"]):
        if family not in configured:
            text = "not configured on this cluster"
            yield Cause.invalid(f"spec.ipFamilies[{index}]", family, text)
