"""What the lab needs of a machine, and how it gets there. Standard library only.

packages -> survey -> { report | install: apt (under quiet), environment } -> hand over to the CLI
"""
