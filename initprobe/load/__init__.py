"""A reference (a YAML spec, Python code, a file) becomes a Subject: a network with its inputs, drawn once per seed.

Kinds of references live in ``sources``, layers of the YAML language in ``blocks``; one more is one file.
"""
