"""Mininet and IPMininet, imported without what they bring along and the lab never uses.

IPMininet imports every daemon it could configure: a template engine with all of Pygments, an SSH
server's module that runs ssh-keygen as it is imported and leaves the key in /tmp, and `distutils`,
which Python 3.12 no longer has. That is 0.5 s of 0.6 s. Stand-ins take their places during the
import alone and are removed afterwards: who imports the real modules later gets them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from lab.errors import LabError


class Unused:
    """In the place of a class that the lab never uses; using it is an error."""

    def __init__(self, *_: object, **__: object) -> None:
        """IPMininet makes one as it is imported (its directory of templates)."""


class ForbiddenCleanup(LabError):
    """Mininet's clean-up kills by name and deletes files across the machine: never from a lab."""

    def __init__(self) -> None:
        super().__init__("mininet.clean was called from inside a lab; it reaches beyond the lab")


STAND_INS = {
    "distutils": (),
    "distutils.version": ("StrictVersion",),
    "mako": (),
    "mako.lookup": ("TemplateLookup",),
    "mako.exceptions": (),
    "ipmininet.router.config.sshd": ("SSHd",),
}


@contextmanager
def _stand_ins() -> Iterator[None]:
    absent = {name: names for name, names in STAND_INS.items() if name not in sys.modules}
    for name, attributes in absent.items():
        module = ModuleType(name)
        vars(module).update(dict.fromkeys(attributes, Unused))
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent in absent:
            setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def _refuse(*_: object, **__: object) -> None:
    raise ForbiddenCleanup


with _stand_ins():
    import mininet.clean
    import mininet.net
    import mininet.util
    from ipmininet.host import IPHost
    from ipmininet.ipnet import IPNet
    from ipmininet.ipswitch import IPSwitch
    from ipmininet.iptopo import IPTopo
    from ipmininet.link import IPIntf, IPLink
    from ipmininet.router import IPNode, Router
    from ipmininet.router.config import NodeConfig

# Mininet's own start raises limits of the whole machine and counts processors with grep.
mininet.net.Mininet.inited = True
mininet.util.numCores.ncores = os.cpu_count()
mininet.clean.cleanup = _refuse
mininet.clean.Cleanup.cleanup = _refuse

__all__ = [
    "IPHost",
    "IPIntf",
    "IPLink",
    "IPNet",
    "IPNode",
    "IPSwitch",
    "IPTopo",
    "NodeConfig",
    "Router",
]
