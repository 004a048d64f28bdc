"""The routes: the service's own API, and one room or file for each dialect of other servers' clients."""
