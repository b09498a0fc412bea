"""The console: messages, lines and stories."""
