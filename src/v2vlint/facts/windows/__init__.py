"""Windows guests: registry, drivers, services, boot configuration."""
