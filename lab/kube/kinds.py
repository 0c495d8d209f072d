"""The one table of kinds, and the registry that custom resource definitions extend.

Discovery, routing, validation, printing and the controllers all ask here; a kind that is in the
table has every verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Object = dict[str, Any]

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CHANGE = ("get", "patch", "update")


@dataclass(frozen=True)
class Subresource:
    """What hangs below an object's path: the kind it speaks and what may be done with it."""

    name: str
    kind: str
    api_version: str
    verbs: tuple[str, ...]


@dataclass(frozen=True)
class Resource:
    """One kind as the API serves it. `group` is "" for the core."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    status: bool = False
    """Has a /status subresource, which alone writes .status."""
    scale: bool = False
    parts: tuple[Subresource, ...] = ()
    """Subresources beside status and scale."""
    generation: bool = False
    """metadata.generation counts the changes of .spec, as it does for all custom kinds."""
    fields: tuple[str, ...] = ()
    """Paths that a field selector may name, beside metadata.name and metadata.namespace."""
    schema: Object | None = field(default=None, compare=False, hash=False)
    """OpenAPI schema of a custom resource; None for what models.json describes."""
    columns: tuple[Object, ...] = field(default=(), compare=False)
    """additionalPrinterColumns of a custom resource."""
    stored_version: str = ""
    """The version that a custom resource is stored in, whatever version it is served in."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Plural and group, as messages name a kind (`deployments.apps`), and the store files it:
        all versions of a kind are one set of objects.
        """
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored_api_version(self) -> str:
        return f"{self.group}/{self.stored_version}" if self.stored_version else self.api_version

    @property
    def custom(self) -> bool:
        return self.schema is not None

    @property
    def subresources(self) -> tuple[Subresource, ...]:
        own = Subresource("status", self.kind, self.api_version, _CHANGE)
        scale = Subresource("scale", "Scale", "autoscaling/v1", _CHANGE)
        return (*[own] * self.status, *[scale] * self.scale, *self.parts)

    @property
    def root(self) -> str:
        """The path of its group and version: `/api/v1` or `/apis/GROUP/VERSION`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


NAMESPACE = Resource(
    "", "v1", "Namespace", "namespaces", "namespace", ("ns",), namespaced=False, status=True,
    fields=("status.phase",), parts=(Subresource("finalize", "Namespace", "v1", ("update",)),),
)  # fmt: skip
NODE = Resource(
    "", "v1", "Node", "nodes", "node", ("no",), namespaced=False, status=True,
    fields=("spec.unschedulable",),
)  # fmt: skip
POD = Resource(
    "", "v1", "Pod", "pods", "pod", ("po",), categories=("all",), status=True,
    fields=("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork",
            "spec.serviceAccountName", "status.phase", "status.podIP"),
    parts=(
        Subresource("eviction", "Eviction", "policy/v1", ("create",)),
        Subresource("exec", "PodExecOptions", "v1", ("create", "get")),
        Subresource("log", "Pod", "v1", ("get",)),
    ),
)  # fmt: skip
SERVICE = Resource(
    "", "v1", "Service", "services", "service", ("svc",), categories=("all",), status=True,
    fields=("spec.clusterIP", "spec.type"),
)  # fmt: skip
ENDPOINTS = Resource("", "v1", "Endpoints", "endpoints", "endpoints", ("ep",))
CONFIG_MAP = Resource("", "v1", "ConfigMap", "configmaps", "configmap", ("cm",))
SECRET = Resource("", "v1", "Secret", "secrets", "secret", fields=("type",))
EVENT = Resource(
    "", "v1", "Event", "events", "event", ("ev",),
    fields=("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
)  # fmt: skip
DEPLOYMENT = Resource(
    "apps", "v1", "Deployment", "deployments", "deployment", ("deploy",), categories=("all",),
    status=True, scale=True, generation=True,
)  # fmt: skip
REPLICA_SET = Resource(
    "apps", "v1", "ReplicaSet", "replicasets", "replicaset", ("rs",), categories=("all",),
    status=True, scale=True, generation=True, fields=("status.replicas",),
)  # fmt: skip
ENDPOINT_SLICE = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice",
)  # fmt: skip
LEASE = Resource("coordination.k8s.io", "v1", "Lease", "leases", "lease")
ACCESS_REVIEW = Resource(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
    "selfsubjectaccessreview", namespaced=False, verbs=("create",),
)  # fmt: skip
CRD = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
    "customresourcedefinition", ("crd", "crds"), namespaced=False, categories=("api-extensions",),
    status=True, generation=True,
)  # fmt: skip

BUILT_IN = (
    NAMESPACE, NODE, POD, SERVICE, ENDPOINTS, CONFIG_MAP, SECRET, EVENT,
    DEPLOYMENT, REPLICA_SET, ENDPOINT_SLICE, LEASE, ACCESS_REVIEW, CRD,
)  # fmt: skip


class Registry:
    """The kinds there are now; custom ones come and go."""

    def __init__(self) -> None:
        self._by_path = {(r.group, r.version, r.plural): r for r in BUILT_IN}
        self._made: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._by_path.values()))

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def stored_as(self, key: str) -> Resource:
        """A kind by the name that the store files it under; KeyError when it is served no more."""
        for resource in self._by_path.values():
            if resource.qualified == key:
                return resource
        raise KeyError(key)

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        for resource in self._by_path.values():
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What is made of the kinds alone: anew only when they have changed."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def replace_custom(self, group: str, plural: str, resources: tuple[Resource, ...]) -> None:
        """Serve exactly these versions of a custom kind; none takes it away."""
        self._made.clear()
        for key in [k for k in self._by_path if (k[0], k[2]) == (group, plural)]:
            del self._by_path[key]
        for resource in resources:
            self._by_path[(group, resource.version, plural)] = resource
