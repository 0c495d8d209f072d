"""`python -m lab.cli`: the command line of a machine that has what the lab needs."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__":
    try:
        # Inside, so that Ctrl-C during the import leads to no traceback.
        from lab.cli.main import main

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
