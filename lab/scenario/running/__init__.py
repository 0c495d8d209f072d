"""Running scenarios: their labs, one after the other or side by side."""
