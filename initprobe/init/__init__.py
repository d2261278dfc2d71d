"""Draws the weights: a model, a request and a seed go in, an Outcome comes out.

``schemes`` holds one file per idea, ``choose`` turns ``normal(std=0.02)`` into one of them, ``overrides`` decides which
weight gets which, ``initialize`` writes the numbers. Only the last one needs torch.
"""
