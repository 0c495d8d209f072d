"""The node agent: what Cilium's agent and the kubelet do on one node."""
