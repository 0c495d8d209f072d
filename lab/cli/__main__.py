"""`python -m lab.cli`: the command line of a machine that has what the lab needs."""

from __future__ import annotations

import sys

from lab.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
