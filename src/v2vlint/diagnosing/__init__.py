"""Diagnosing: what a console log says about a boot that failed, and where the guest's image has the cause."""
