"""Playbooks, post-mortems, evidence bundles."""
