"""One file per checkpoint format: each registers one ``WeightsFormat`` that reads it, and runs nothing in it.

One more format is one more file here: write a function from a path to what the file holds, and hand it to
``base.weights_format``.
"""
