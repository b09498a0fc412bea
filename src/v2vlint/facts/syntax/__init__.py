"""Configuration file syntaxes. Each module parses one kind of text and keeps the place of every value."""
