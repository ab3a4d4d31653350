"""One file per family of PPL functions."""
