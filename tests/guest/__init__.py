"""Tests of the guest view."""
