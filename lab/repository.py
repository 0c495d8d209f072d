"""Where the lab's own files lie. Nothing but this, so that the smallest process may ask.

(`lab.setup` has its own answer: it runs before everything else, and without pathlib.)
"""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""The folder that has `lab/`, `topologies/` and `scenarios/`: what PYTHONPATH has to name."""
