"""Tests of the disk layer, on images made by the usual tools."""
