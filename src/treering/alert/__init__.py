"""Routes, grouping, silences, notifiers."""
