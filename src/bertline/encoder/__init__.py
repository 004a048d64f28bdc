"""Token ids to hidden states: BERT and DistilBERT as one encoder, their heads, and HF checkpoints."""
