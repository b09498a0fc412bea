"""The environment a guest expects: guest agents, time sources, displays; and its identity."""
