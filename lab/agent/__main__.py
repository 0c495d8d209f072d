"""`python -m lab.agent --config FILE`: an agent by itself, in the node it is started in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.agent.config import AgentConfig
from lab.agent.main import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="lab.agent", description="The agent of one node.")
    parser.add_argument("--config", type=Path, required=True, help="an AgentConfig as JSON")
    sys.exit(main(AgentConfig.load(parser.parse_args().config)))
