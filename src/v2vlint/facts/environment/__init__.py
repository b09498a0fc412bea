"""What a guest expects around it: guest agents, time sources, displays, its identity."""
