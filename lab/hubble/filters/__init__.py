"""Filters: one predicate for each field of a FlowFilter, compiled and combined."""
