"""Kubernetes' controllers: they watch the API's objects and make true what these ask for."""
