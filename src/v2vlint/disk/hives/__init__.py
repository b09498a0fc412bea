"""Registry hives: reading, replaying their logs, and checking an edit before it is made."""
