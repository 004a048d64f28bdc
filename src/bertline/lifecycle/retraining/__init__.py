"""A model is trained again when there is a reason to: what the reason is, the steps, and what is left of each run."""
