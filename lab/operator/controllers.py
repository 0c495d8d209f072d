"""The controllers that Cilium adds to those of Kubernetes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.controllers.loop import Controller
from lab.kube.api import Api
from lab.operator.addons import AddonController
from lab.operator.bgp_conditions import BgpConditions
from lab.operator.installation import ARTICLE
from lab.operator.lb_ipam_controller import LbIpamController
from lab.operator.metallb_controller import MetalLbController


def controllers(api: Api, profile: str, addons: Sequence[dict[str, Any]] = ()) -> list[Controller]:
    """Those of a profile; `addons` are objects to make when all nodes are Ready."""
    made = AddonController(api, addons)
    if profile == ARTICLE:
        return [MetalLbController(api), made]
    return [LbIpamController(api), BgpConditions(api), made]
