"""What ``hf:`` needs of the transformers library: the library itself, a configuration, the class that it belongs to.

transformers is imported inside functions: it is an extra, and slow.
"""
