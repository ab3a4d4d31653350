"""What the detector `taint` says of labelled traces of agents."""
