"""Registry hives: read them, replay their logs, and check an edit before it is made."""
