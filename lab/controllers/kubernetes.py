"""The controllers of a Kubernetes cluster, in the order in which they start."""

from __future__ import annotations

from lab.controllers.api_service import ApiService
from lab.controllers.definitions import DefinitionController
from lab.controllers.deployment import DeploymentController
from lab.controllers.endpoints import EndpointsController
from lab.controllers.garbage import GarbageCollector
from lab.controllers.loop import Controller
from lab.controllers.namespaces import NamespaceController
from lab.controllers.nodes import NodeController
from lab.controllers.replicaset import ReplicaSetController
from lab.controllers.scheduler import Scheduler
from lab.kube.api import Api
from lab.kube.kubelet_api import LEASE_GRACE


def controllers(api: Api, lease_grace: float = LEASE_GRACE) -> list[Controller]:
    """All of them; a node is lost `lease_grace` seconds after it last renewed its lease."""
    return [
        DefinitionController(api),
        DeploymentController(api),
        ReplicaSetController(api),
        Scheduler(api),
        EndpointsController(api),
        NodeController(api, lease_grace),
        GarbageCollector(api),
        NamespaceController(api),
        ApiService(api),
    ]
