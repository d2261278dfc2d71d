"""The layers of the YAML language, one file per family: options as a pydantic model, and how they become a module.

To add one, add a file with a ``Layer`` class under ``@block("name")`` from ``base``; the grammar, its JSON Schema and
`initprobe ls blocks` find it there.
"""
