"""Callbacks of training frameworks: a check of the very model that is about to be trained, before its first step."""
