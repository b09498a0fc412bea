"""``python -m v2vlint``."""

from __future__ import annotations

import sys

from v2vlint.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
