"""Bytes and text to records: pure functions, no I/O."""
