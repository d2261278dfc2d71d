"""One file per idea (paper): what it draws, the standard deviation it declares, its options and its card.

To add one, add a file with a ``@register`` class derived from ``base.Scheme``; nothing else has to be touched. Torch is
imported where numbers are drawn, not at the top, so that cards are read without it.
"""
