"""Tests of v2vlint.define."""
