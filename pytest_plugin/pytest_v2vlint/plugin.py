"""Options and hooks. Imports only pytest, and does nothing until asked."""

from __future__ import annotations
