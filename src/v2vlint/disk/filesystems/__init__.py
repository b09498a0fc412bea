"""Filesystems: telling them apart, and reading their files."""
