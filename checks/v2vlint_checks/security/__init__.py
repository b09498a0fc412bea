"""Security settings that a move upsets."""
