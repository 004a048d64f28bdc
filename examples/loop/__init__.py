"""The life of a model on one machine in about ten minutes: served, drifted, retrained, rolled out, rolled back."""
