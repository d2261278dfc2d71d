"""Modules of networks that torch has none for, built by the layers of the YAML language."""
