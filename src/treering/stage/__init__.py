"""The contracts between stages: what an implementation must, must not and may do."""
