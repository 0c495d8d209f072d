"""A Pod object as programs to start: commands, environments, mounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightkube.models.core_v1 import Container, EnvVar, PodSpec
from lightkube.resources.core_v1 import Pod

from lab.agent.pods.images import Image, find, known

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$(\$|\([-._a-zA-Z][-._a-zA-Z0-9]*\))")


ERR_IMAGE_PULL = "ErrImagePull"


@dataclass(frozen=True)
class Refusal:
    """Why a container cannot be started: the reason and message of its waiting state."""

    reason: str
    message: str


@dataclass(frozen=True)
class Program:
    """What a container runs."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    image: Image


def program(pod: Pod, container: Container, node: Mapping[str, str]) -> Program | Refusal:
    """The program of a container; `node` has the facts that fieldRef can ask for beside the pod's:
    `spec.nodeName`, `status.hostIP`, `status.podIP` and the plurals of the latter two.
    """
    image = find(container.image or "")
    if image is None:
        return Refusal(
            ERR_IMAGE_PULL,
            f'image "{container.image}" is not in the lab\'s table; there are {known()}',
        )
    env = {"PATH": PATH, "HOSTNAME": hostname(pod), **image.env}
    for variable in container.env or ():
        env[variable.name] = _value(variable, pod, node, env)
    argv = _argv(container, image)
    if not argv:
        return Refusal("CreateContainerError", "no command specified")
    return Program(
        argv=tuple(_expand(word, env) for word in argv),
        env=env,
        cwd=container.workingDir or "/",
        image=image,
    )


def hostname(pod: Pod) -> str:
    """What the pod calls itself."""
    assert pod.metadata is not None
    return (pod.spec and pod.spec.hostname) or pod.metadata.name or ""


def grace(pod: Pod) -> float:
    """Seconds between the request to end and SIGKILL."""
    assert pod.metadata is not None
    if pod.metadata.deletionGracePeriodSeconds is not None:
        return float(pod.metadata.deletionGracePeriodSeconds)
    seconds = pod.spec.terminationGracePeriodSeconds if pod.spec else None
    return 30.0 if seconds is None else float(seconds)


def hosts_file(pod: Pod, addresses: Sequence[str]) -> str:
    """/etc/hosts as the kubelet writes it, with the pod's address of each family."""
    spec = pod.spec or PodSpec(containers=[])
    aliases = [f"{alias.ip}\t{' '.join(alias.hostnames or ())}" for alias in spec.hostAliases or ()]
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        *(f"{address}\t{hostname(pod)}" for address in addresses),
    ]
    return "\n".join([*lines, *aliases]) + "\n"


def _argv(container: Container, image: Image) -> tuple[str, ...]:
    """Docker's rule: `command` replaces the entrypoint and drops the image's own arguments."""
    if container.command:
        return (*container.command, *(container.args or ()))
    return (*image.entrypoint, *(container.args or image.arguments))


def _value(variable: EnvVar, pod: Pod, node: Mapping[str, str], env: Mapping[str, str]) -> str:
    source = variable.valueFrom
    if source is not None and source.fieldRef is not None:
        return _field(pod, source.fieldRef.fieldPath, node)
    return _expand(variable.value or "", env)


def _field(pod: Pod, path: str, node: Mapping[str, str]) -> str:
    meta = pod.metadata
    assert meta is not None
    facts = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
    }
    return facts.get(path) or node.get(path, "")


def _expand(text: str, env: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value, $$ one dollar; an unknown name stays as it is."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name == "$" else env.get(name[1:-1], match[0])

    return _REFERENCE.sub(replace, text)
