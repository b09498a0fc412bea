"""Guests built from literals, for rule examples and tests: files, kernels, registry hives, machine definitions."""
