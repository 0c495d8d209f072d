"""Hubble: the flow log of every node, the relay that merges them, the command and the web page.

Data flows one way: event bytes -> Record -> Ring -> filters -> { gRPC, line, metric, page }.
"""
