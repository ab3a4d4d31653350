"""Findings to incidents, a pure fold."""
