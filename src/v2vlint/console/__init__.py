"""The console output of a booting guest: bytes become lines, lines become a story, and a table explains what each message means."""
