"""Files of this host, examined in the parent by type only, not by content."""

from __future__ import annotations

import os
import stat


def problem_of(path: str) -> str:
    """Why the file or block device ``path`` cannot be read, or an empty string."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        return f"{path}: {os.strerror(error.errno or 0).lower()}"
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        return f"{path}: not a file or block device"
    return "" if os.access(path, os.R_OK) else f"{path}: permission denied"
