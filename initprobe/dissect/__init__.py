"""nn.Module becomes Anatomy: who every weight is, and which call sites follow one another.

``tape.py`` records one traced pass, ``operations.py`` says what each torch function does to a signal,
``handwritten.py`` knows activations by their values, ``weights.py`` and ``streams.py`` read the tape, ``anatomy.py``
puts it together.
"""
