"""``python -m v2vlint``."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder may be the image's, and precedes the standard library
    from v2vlint.cli.main import main

    sys.exit(main())
