"""Data only: formats, rules, playbooks, dashboards, prices, taxonomies."""
