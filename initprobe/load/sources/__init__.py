"""One file per kind of reference: each registers one ``Source`` that opens it.

One more source is one more file here: write a function that opens a reference and answers with a ``base.Target``, and
hand it to ``base.source``. Code of the user runs under ``load.usercode``.
"""
