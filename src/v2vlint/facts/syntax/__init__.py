"""How configuration files are written: each module reads one kind of text and keeps the place of every value."""
