"""Formats of reports that are no text: each module has ``render(report) -> bytes``, and its name is the format's."""
