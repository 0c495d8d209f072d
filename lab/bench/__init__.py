"""Benchmarks: one file each, run by `lab bench`, reported as ratios."""
