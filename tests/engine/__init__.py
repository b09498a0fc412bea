"""Tests of the engine around rules."""
