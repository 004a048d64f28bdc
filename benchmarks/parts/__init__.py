"""What the benchmarks are made of: their texts, contestants, steps and pages."""
