"""Services of the cluster as the entries of the load balancer's maps: data in, data out."""
