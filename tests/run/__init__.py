"""One run, whoever starts it."""
