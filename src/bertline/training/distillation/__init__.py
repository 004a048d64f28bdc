"""From a teacher to a smaller student that answers as it does."""
