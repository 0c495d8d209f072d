"""Events of this node for the flow log, and for whoever wants them raw."""
