"""Labels for texts."""
