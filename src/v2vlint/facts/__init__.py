"""Typed, immutable knowledge parsed from a guest: one module per fact, its dataclasses first, then its provider."""
