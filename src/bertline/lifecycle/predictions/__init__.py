"""Predictions that were made, what people said of them, and what follows from both."""
