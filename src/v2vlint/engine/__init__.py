"""Rule packs, selection, running rules, the user's decisions. The engine knows no particular pack and no pytest."""
