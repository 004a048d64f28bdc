"""Two models, or two engines of one, on the same text or table: where they differ, and which is better."""
