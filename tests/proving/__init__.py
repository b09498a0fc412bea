"""Proving: unit tests of every part, real boots, and the truth table."""
