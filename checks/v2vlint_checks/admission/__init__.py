"""What a cloud or platform asks of an image: by the keys of its profile."""
