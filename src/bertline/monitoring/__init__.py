"""What is measured of a running service, in one table, and how it is read."""
