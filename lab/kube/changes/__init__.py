"""Patches of all four kinds."""
