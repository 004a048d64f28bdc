"""Fine-tuning: one loop, objectives as functions, checkpoints that resume to the same weights."""
