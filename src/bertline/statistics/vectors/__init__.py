"""Matrices of unit vectors, one per row: nearest rows, repeated rows, clusters. Numpy only; any number of rows."""
