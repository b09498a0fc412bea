"""Guests drawn at random from the product's own builders, forecast and booted, and what was found so far."""
