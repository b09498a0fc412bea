"""Installed packages and their repositories."""
