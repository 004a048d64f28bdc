"""Token ids to hidden states: the families as one encoder, their heads, and HF checkpoints."""
