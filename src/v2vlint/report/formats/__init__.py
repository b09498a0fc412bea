"""Formats of reports as text: each module has ``render(report) -> str``, and its name is the format's."""
