"""Tests of v2vlint.report."""
