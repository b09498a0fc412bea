"""Which host files are opened: one policy, for the reader, the fixer, the prover and the tools that they start."""

from __future__ import annotations

from v2vlint.files.desk import Access, Desk, access
from v2vlint.files.errors import Missing, Refused
from v2vlint.files.policy import FilePolicy, Opened

__all__ = ["Access", "Desk", "FilePolicy", "Missing", "Opened", "Refused", "access"]
