"""Fixes: planning, rewriting and diffing are pure; applying is a transaction."""
