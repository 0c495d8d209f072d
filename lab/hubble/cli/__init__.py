"""The `hubble` command: what it asks, what it prints, for both generations of its text."""
