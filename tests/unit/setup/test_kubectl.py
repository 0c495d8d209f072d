"""kubectl out of archives inside archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from lab.setup.kubectl import unpacked


def archive(name: str, content: bytes) -> bytes:
    """A zip archive of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


def test_the_program_is_found_inside(tmp_path: Path) -> None:
    layer = archive("kubectl/kubectl", b"the program")
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as file:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer)
        file.addfile(member, io.BytesIO(layer))
    wheel = tmp_path / "some.whl"
    wheel.write_bytes(archive("a/_jsii/some@1.jsii.tgz", package.getvalue()))
    assert unpacked(str(wheel)) == b"the program"
