"""Tests of v2vlint.fix."""
