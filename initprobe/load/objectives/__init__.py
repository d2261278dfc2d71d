"""One file per objective: each registers one ``Objective``, a loss whose labels and targets are drawn.

One more objective is one more file here: a subclass of ``base.Objective`` with a card, its options as fields, and
``value``. What a network is differentiated by is read off its output alone.
"""
