"""Filesystems: recognising them, and reading their files."""
