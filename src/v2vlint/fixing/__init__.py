"""Fixes: plan, rewrite and diff are pure; applying is a transaction."""
