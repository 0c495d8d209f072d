"""`python -m lab.hubble.relay`: the relay."""

import sys

from lab.hubble.yielding import yielding

with yielding():
    from lab.hubble.relay.main import main

sys.exit(main())
