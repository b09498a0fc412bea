"""The supported URL schemes, one module each."""
