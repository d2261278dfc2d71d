"""One file per statistic, all on shared reductions.

A new one calls ``statistic(...)`` from ``base`` at module level: its name, the reduction it reads, what of a probe it
describes, and a function from the reduction's numbers to its value. A reduction that nobody else needs lives beside it.
"""
