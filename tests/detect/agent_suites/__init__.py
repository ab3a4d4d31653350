"""Invented suites of agents (`first.yaml`, `second.yaml`) and the traces that are composed of them."""
