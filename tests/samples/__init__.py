"""Tests of the sample guests and their builder."""
