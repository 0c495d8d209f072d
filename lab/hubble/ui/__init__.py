"""Hubble's web page: a service map and a table of flows, live.

Upstream flows -> Hub (the newest flows, who listens) -> View (one browser's namespace and filters:
service map and rows) -> server-sent events -> the page in static/.
"""
