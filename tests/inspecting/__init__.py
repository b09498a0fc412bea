"""Inspection: what a machine is."""
