"""Installed packages and the repositories that they come from."""
