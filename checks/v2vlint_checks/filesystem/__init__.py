"""Filesystems the target or the mover cannot handle."""
