"""Real Debian guests, stock and with one deliberate defect each."""
