"""`python3 -m lab`: provide what the machine lacks, then hand over to the command line.

Runs under any Python from 3.10 with nothing installed. A start on a machine that lacks nothing
looks at a few dozen files and replaces itself by `.venv/bin/python -m lab.cli`.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    if sys.version_info < (3, 10):
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"The lab needs Python 3.10 or newer; {sys.executable} is {version}", file=sys.stderr)
        return 3
    # Imported here: these modules use syntax that older versions refuse.
    from lab.setup.command import Command, prepare  # noqa: PLC0415
    from lab.setup.environment import PROGRAMS, PYTHON  # noqa: PLC0415

    command = Command.parse(sys.argv[1:])
    code = prepare(command)
    if code is not None:
        return code
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{PROGRAMS}"
    return os.execv(PYTHON, [PYTHON, "-m", "lab.cli", *command.arguments])


if __name__ == "__main__":
    sys.exit(main())
