"""nn.Module becomes Anatomy: who every weight is, and which call sites follow one another.

``tape.py`` records one traced pass, ``operations.py`` says what each torch function does to a signal,
``handwritten.py`` knows activations by their values. ``weights.py`` reads every use of a parameter off the tape
(``products.py``, ``fused.py``; ``untraced.py`` where there was none). ``joins.py`` finds residual sums, ``branches.py``
what lies between, ``streams.py`` the runs of sites; ``attention.py`` and ``gated.py`` find products of signals,
``parts.py`` which outputs go into them, and ``places.py`` tells every weight where it stands. ``anatomy.py`` puts it
together.
"""
