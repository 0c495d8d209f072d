"""FRR: configuration as data and text, its daemons, its answers."""
