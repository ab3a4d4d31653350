"""One engine per module."""
