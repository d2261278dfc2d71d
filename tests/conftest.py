"""What every test runs under."""

import os

# Before torch is imported anywhere: spinning threads make tests crawl where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Before Keras is: without these it asks for tensorflow, and writes a file into the home directory.
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_HOME"] = os.devnull
