"""The images of the lab: what a container's `image` stands for. Extend the table here.

There is no registry and no root filesystem: an image is a program of the machine, files that
appear in the container only, and an environment. A container's own `command` and `args` replace
the program, so that any program of the machine can run under any image.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.agent.pods.pages import NGINX_CONF, NGINX_PAGE
from lab.repository import REPOSITORY

_PYTHON_ENV = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Image:
    """`entrypoint` is kept under `args`, and replaced by `command`, as with container images."""

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Directory -> file name -> content: put over that directory of the machine."""
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    """What asks the program to end in an orderly way."""


IMAGES: Mapping[str, Image] = {
    "nginx": Image(
        entrypoint=("/usr/sbin/nginx",),
        arguments=("-c", "/etc/nginx/nginx.conf"),
        files={
            "/etc/nginx": {"nginx.conf": NGINX_CONF, "mime.types": "types { text/html html; }\n"},
            "/usr/share/nginx/html": {"index.html": NGINX_PAGE},
        },
        stop_signal=signal.SIGQUIT,
    ),
    "echo": Image((sys.executable, "-S", "-m", "lab.agent.pods.echo"), env=_PYTHON_ENV),
    "client": Image(("sleep",), ("infinity",)),
    "curl": Image(("curl",)),
    "iperf3": Image(("iperf3",), ("--server",)),
    "hubble-relay": Image((sys.executable, "-m", "lab.hubble.relay"), env=_PYTHON_ENV),
    "hubble-ui": Image((sys.executable, "-m", "lab.hubble.ui"), env=_PYTHON_ENV),
    "machine": Image(()),
}
"""`machine` has no program of its own: for pods that say `command`."""

_ALIASES = {"curlimages/curl": "curl", "networkstatic/iperf3": "iperf3", "busybox": "client"}


def find(reference: str) -> Image | None:
    """The image of a reference such as `nginx`, `nginx:1.27`, `docker.io/library/nginx@sha256:..`.

    None for one that the lab does not know.
    """
    path = reference.split("@", maxsplit=1)[0]
    head, _, tail = path.rpartition("/")
    name = tail.split(":")[0]
    last_two = f"{head.rpartition('/')[2]}/{name}" if head else name
    return IMAGES.get(_ALIASES.get(last_two, _ALIASES.get(name, name)))


def known() -> str:
    """The names there are, for messages."""
    return ", ".join(sorted(IMAGES))
