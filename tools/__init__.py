"""Developer tools, run by make."""
