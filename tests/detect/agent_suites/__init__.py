"""Invented suites of agents (`first.yaml` to `fourth.yaml`) and the traces that are composed of them."""
