"""Capacity: replicas, cores and money that a load takes, from measurements and a simulation of the real scheduler."""
