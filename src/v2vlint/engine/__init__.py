"""Packs, selection, running rules, the user's decisions. Knows no pack and no pytest."""
