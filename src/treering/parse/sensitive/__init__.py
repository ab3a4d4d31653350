"""Secrets and personal data in texts: what they look like, where they are, what they look like masked."""
