"""Training runs: from the lines of a log to what became of the run and why."""
