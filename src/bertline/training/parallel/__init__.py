"""One run in several processes: what they sum and share, how they join, and who starts them again."""
