"""BGP as the cluster's objects configure it: each generation's grammar -> lab.frr.BgpConfig."""
