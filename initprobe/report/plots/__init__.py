"""One file per figure: a function from entries to a matplotlib Figure, registered with ``@plot`` of ``base``.

To add one, write a module that decorates such a function, imports matplotlib inside of it (and never pyplot), and
answers None when the entries do not hold what it draws.
"""
