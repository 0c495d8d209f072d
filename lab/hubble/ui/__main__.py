"""`python -m lab.hubble.ui`: the web page's server."""

import sys

from lab.hubble.yielding import yielding

with yielding():
    from lab.hubble.ui.main import main

sys.exit(main())
