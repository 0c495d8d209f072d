"""Runs in a node: applies the BGP configuration on stdin (a pickle in base64), as an agent would.

Prints the commands that it took, as JSON.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys

from lab.frr.speaker import Speaker

sys.stdout.write(json.dumps(Speaker().apply(pickle.loads(base64.b64decode(sys.stdin.read())))))
