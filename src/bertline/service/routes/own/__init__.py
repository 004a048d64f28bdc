"""The service's own API."""
