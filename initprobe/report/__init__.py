"""A Report becomes text or a file.

``render`` is the verb for text, ``figures`` for pictures, ``write`` puts either where it belongs. One more format is
one more file in ``formats/``, one more figure one more file in ``plots/``. Nothing here prints, and every text that
came from a model or a file passes through ``visible`` first.
"""
