"""Report formats. They depend only on the model."""
