"""Tests of pytest_v2vlint, by running pytest in pytest."""
