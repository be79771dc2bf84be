"""``python -m emorec`` is the same as ``emorec``."""

import sys

from emorec.cli import main

sys.exit(main())
