"""What every stage leans on: errors, clock, identifiers, registry, configuration, self-telemetry."""
