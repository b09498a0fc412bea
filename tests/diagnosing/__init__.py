"""Diagnosing: logs of boots that failed."""
