"""Many probes of one network.

Which points a search visits is decided here, by arithmetic alone; the api probes them one after the other.
"""
