"""Faults: what goes wrong in a lab on purpose, and how each is put right again.

`fault` says what one is; `nodes`, `wires` and `full_tables` have them; `standing` strikes them.
"""
