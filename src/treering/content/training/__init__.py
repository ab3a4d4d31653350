"""What is known about training benchmarks."""
