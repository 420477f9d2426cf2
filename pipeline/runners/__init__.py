"""What runs a pipeline."""
