"""Diagnosing: what a console log says about a failed boot, and which part of the guest's image is the cause."""
