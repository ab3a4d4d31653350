"""Drills: attacks that are told to treering on purpose, to see what of them it notices, how soon, and what it misses.

A drill only sends telemetry. It never prompts a model, opens a link or runs what a corpus says.
"""
