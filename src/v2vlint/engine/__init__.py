"""Rule packs, selection, running rules, the user's decisions. The engine depends on no particular pack, and not on pytest."""
