"""Pure values shared by every layer: places, findings, fixes, rules, targets, reports. Nothing here does I/O."""
