"""Packs, selection, running rules, policy. Knows no pack and no pytest."""
