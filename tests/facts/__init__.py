"""Tests of the facts, mirroring v2vlint.facts."""
