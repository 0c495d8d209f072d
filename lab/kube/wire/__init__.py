"""Between the network and the API: connections, requests, bodies."""
