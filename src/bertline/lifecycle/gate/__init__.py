"""May a model replace the one in use? Checks on the same rows, each of which can say no, or that it cannot tell."""
