"""Embeddings of texts: vectors whose cosine says how alike two texts are in meaning."""
