"""One file per protocol or source."""
