"""Asking a guest: what a test or a program gets to see of it, with the place of everything."""
