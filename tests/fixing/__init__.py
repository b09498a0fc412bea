"""Tests of v2vlint.fixing."""
