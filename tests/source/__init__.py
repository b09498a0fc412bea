"""Tests of finding the disks of a guest."""
