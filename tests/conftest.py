"""What every test can rely on, however the suite was started."""

from __future__ import annotations

import signal

# A script that starts the suite in the background ignores SIGINT for it, and a program that is started from there would ignore it too:
# tests of an interrupt need what a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
