"""One file per PPL command."""
