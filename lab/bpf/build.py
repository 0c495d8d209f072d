"""C to BPF object, cached by the hash of everything that goes into it."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from pathlib import Path

from lab import shell
from lab.errors import BpfError, CommandError, MachineError
from lab.repository import REPOSITORY

SOURCES = Path(__file__).parent / "src"
CACHE = REPOSITORY / ".build" / "bpf"

FLAGS = ("-Wall", "-Wextra", "-Werror", "-O2", "-g", "-target", "bpf", "-mcpu=v3")
"""-g: without debug information there is no BTF, and without BTF no typed maps."""

COMPILE_TIMEOUT = 180.0


def datapath(*, ipv6: bool) -> Path:
    """The object file of all programs but XDP's, for a node with or without IPv6."""
    return compiled("datapath" if ipv6 else "datapath4")


def compiled(name: str) -> Path:
    """The object file of `src/NAME.bpf.c`, compiled now unless an equal one is there.

    MachineError without clang or the headers; BpfError with clang's words when it refuses.
    """
    target = CACHE / f"{name}-{_fingerprint()}.o"
    if not target.exists():
        _compile(SOURCES / f"{name}.bpf.c", target)
    return target


def _fingerprint() -> str:
    digest = hashlib.sha256(repr((FLAGS, include())).encode())
    for path in sorted(SOURCES.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def include() -> str:
    """The compiler option for the kernel's headers."""
    # asm/types.h lives in the multiarch directory, which -target bpf does not search
    return f"-I/usr/include/{platform.machine()}-linux-gnu"


def _compile(source: Path, target: Path) -> None:
    clang = shutil.which("clang")
    if clang is None:
        raise MachineError("clang is missing: no BPF program can be built", "apt-get install clang")
    if not Path("/usr/include/bpf/bpf_helpers.h").exists():
        raise MachineError("the headers of libbpf are missing", "apt-get install libbpf-dev")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may build at once: each writes its own file, the last rename wins.
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    argv = [clang, *FLAGS, include(), "-c", str(source), "-o", str(draft)]
    try:
        shell.run(argv, timeout=COMPILE_TIMEOUT)
    except CommandError as exc:
        raise BpfError(f"clang refused {source.name}\n{exc}", 22) from exc
    draft.replace(target)


def main() -> None:
    """Compile every program, so that the first lab does not have to."""
    for source in sorted(SOURCES.glob("*.bpf.c")):
        compiled(source.name.removesuffix(".bpf.c"))


if __name__ == "__main__":
    main()
