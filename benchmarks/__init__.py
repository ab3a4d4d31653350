"""Measurements: ratios in one run, CPU seconds; see README.md."""
