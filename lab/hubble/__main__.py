"""`python -m lab.hubble`: the `hubble` command."""

import sys

from lab.hubble.cli.main import main

sys.exit(main())
