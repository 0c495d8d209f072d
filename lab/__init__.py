"""A network lab: BGP-announced, eBPF-balanced Kubernetes services on one Linux machine."""
