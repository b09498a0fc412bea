"""Which host files may be opened: one policy for the reader, the fixer, the prover and the tools that they start."""

from __future__ import annotations

from v2vlint.files.desk import Desk, FileOpener, access
from v2vlint.files.errors import FileMissing, Refused
from v2vlint.files.policy import FilePolicy, Opened

__all__ = ["Desk", "FileMissing", "FileOpener", "FilePolicy", "Opened", "Refused", "access"]
