"""`python -m dualnet`: the same as the command `dualnet`."""

import sys

from dualnet.cli import main

sys.exit(main())
