"""The command line: declarations and one call each. Nothing here imports torch before it is needed."""
