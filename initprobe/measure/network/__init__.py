"""One file per measurement of a network as a whole: each takes passes of its own, and is made where it is asked for."""
