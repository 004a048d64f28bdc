"""What answers at which path: the service's own API, and one file for each dialect of other servers' clients."""
