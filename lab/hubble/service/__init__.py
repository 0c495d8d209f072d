"""The gRPC services of a node's observer, one module a service."""
