"""One file per activation: f, f', its kinks, and the torch modules and functions that compute it. No torch in here.

To add one, add a file that calls ``activation(Activation(...))`` from ``base``; nothing else has to be touched.
``moments`` asks them for Gaussian expectations and gains.
"""
