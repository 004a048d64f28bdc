"""What the machine is and can do: cores, instructions, GPU, how long work takes on it."""
