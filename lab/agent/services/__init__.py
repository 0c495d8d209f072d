"""Services of the cluster as entries of the load balancer's maps: data in, data out; kept so."""
