"""Tests of the target profiles."""
