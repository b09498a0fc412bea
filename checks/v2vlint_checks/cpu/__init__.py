"""Code built for one CPU."""
