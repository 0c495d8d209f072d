"""BGP as the objects of the cluster configure it: their grammars -> lab.frr.BgpConfig -> FRR."""
