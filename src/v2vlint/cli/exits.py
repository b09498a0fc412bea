"""Exit codes. 1 takes precedence over 3."""

from __future__ import annotations

OK = 0
FINDINGS = 1
USAGE = 2
NOT_EVALUATED = 3
NOTHING = 4
INTERRUPTED = 130

HELP = (
    "exit codes: 0 nothing at or above --fail-on · 1 findings · 2 usage or configuration · 3 something could not be evaluated · "
    "4 nothing matched · 130 interrupted. 1 takes precedence over 3."
)
