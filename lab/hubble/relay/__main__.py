"""`python -m lab.hubble.relay`: the relay."""

import sys

from lab.hubble.relay.main import main

sys.exit(main())
