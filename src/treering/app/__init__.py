"""The composition root: configuration to objects to a running pipeline."""
