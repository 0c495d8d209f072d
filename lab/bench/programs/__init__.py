"""Programs of the benchmarks: run by `python -m` or `python -S` in a namespace, print numbers."""
