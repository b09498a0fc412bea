"""The guest as machines: roots found by content, their mount tables, and a path-based view of each."""
