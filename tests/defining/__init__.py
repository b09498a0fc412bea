"""Tests of v2vlint.defining."""
