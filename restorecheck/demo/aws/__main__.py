"""See server.py."""

import sys

from restorecheck.demo.aws.server import main

sys.exit(main())
