"""Pre-training: a vocabulary and an encoder from texts without labels."""
