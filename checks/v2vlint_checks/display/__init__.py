"""X servers and GPU stacks."""
