"""Guests made of literals, for rule examples and tests: files, kernels, registry hives, machine definitions."""
