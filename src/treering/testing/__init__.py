"""The public test kit: contract suites, recording and failing sinks, Hypothesis strategies."""
