"""`python -m lab.hubble`: the `hubble` command."""

import signal
import sys

from lab.hubble.cli.main import main

# A reader that has seen enough (`hubble observe | head`) ends the command quietly.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
sys.exit(main())
