"""What a booting guest says on its console: bytes become lines, lines become a story, and a table tells what each message means."""
