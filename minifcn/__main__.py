"""The command `minifcn`, as `python -m minifcn`."""

import sys

from minifcn.cli import main

sys.exit(main())
