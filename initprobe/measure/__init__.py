"""Subject becomes a Trace: forward, backward, parameters.

``signal.py`` runs the passes; ``reductions.py`` turns a tensor into a few numbers; a statistic is one file in
``statistics/`` that says which reduction it reads and what it makes of it.
"""
