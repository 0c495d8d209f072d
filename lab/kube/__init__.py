"""The API server of a lab's Kubernetes: its table of kinds, its store, what it serves."""
