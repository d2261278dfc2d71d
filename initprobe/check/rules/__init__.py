"""One file per rule, its code in the file name: what to look for, why it matters, and examples that tests execute.

To add one, add a file with a function under ``@rule(...)`` from ``base``; nothing else has to be touched. Its docstring
is the user's documentation.
"""
