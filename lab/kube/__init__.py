"""The Kubernetes control plane of a lab: API server, controllers, load-balancer addresses."""
