"""Report formats. They see the model only."""
