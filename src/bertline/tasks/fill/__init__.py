"""Words for the [MASK] tokens of a text: a masked language model."""
