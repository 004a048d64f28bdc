"""Limits per client: requests and tokens per minute and day, and concurrent requests."""
