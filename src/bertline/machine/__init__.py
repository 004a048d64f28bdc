"""The machine: its cores, instructions and GPU, and how long work takes on it."""
