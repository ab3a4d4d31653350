"""GenAI telemetry in every dialect: names made canonical as batches come in, calls read as data."""
