"""Files that a pod sees instead of the machine's: hosts, resolver, its images' own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lightkube.resources.core_v1 import Pod

from lab.agent.pods.images import Image
from lab.agent.pods.spec import hostname, hosts_file
from lab.repository import REPOSITORY

RESOLVER = "# The lab has no name server: names are in /etc/hosts.\nsearch {}.svc.cluster.local\n"


def write_pod_files(directory: Path, pod: Pod, addresses: Sequence[str]) -> None:
    """Write what all containers of a pod share."""
    assert pod.metadata is not None
    etc = directory / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "hosts").write_text(hosts_file(pod, addresses))
    (etc / "hostname").write_text(hostname(pod) + "\n")
    (etc / "resolv.conf").write_text(RESOLVER.format(pod.metadata.namespace))


def write_image_files(directory: Path, image: Image) -> None:
    """Write an image's files afresh, as a container finds them when it starts."""
    for number, contents in enumerate(image.files.values()):
        over = directory / f"files-{number}"
        over.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (over / name).write_text(text)


def mounts(pod_directory: Path, directory: Path, image: Image) -> list[list[str]]:
    """(source, target) of a container's bind mounts; targets that the machine lacks are left out:
    mounts never create anything on it.
    """
    wanted = [*_shared(pod_directory), *_own(directory, image)]
    return [[source, target] for source, target in wanted if Path(target).exists()]


def scratch() -> list[str]:
    """Directories that a container gets empty and to itself."""
    used = (str(REPOSITORY), sys.prefix, sys.base_prefix)
    return [path for path in ("/tmp", "/var/tmp") if not any(u.startswith(path) for u in used)]


def _shared(pod_directory: Path) -> Iterator[tuple[str, str]]:
    for name in ("hosts", "hostname", "resolv.conf"):
        yield str(pod_directory / "etc" / name), f"/etc/{name}"


def _own(directory: Path, image: Image) -> Iterator[tuple[str, str]]:
    for number, target in enumerate(image.files):
        yield str(directory / f"files-{number}"), target
