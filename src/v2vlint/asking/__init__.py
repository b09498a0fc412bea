"""Questions to a guest: what tests and programs can see of it, with the place of everything."""
