"""The kinds of URL that are read, one module each."""
