"""Two-sample tests of drift by permutation: they err at their stated rate for any number of rows. Numpy only."""
