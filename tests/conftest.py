"""What every test runs under."""

import os

# Before torch is imported anywhere: spinning threads make tests crawl where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
