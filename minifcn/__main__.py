"""The command `minifcn`, as `python -m minifcn`."""

import sys

from minifcn.commands import main

sys.exit(main())
