"""Few-shot training: a classifier from 8 to 64 labelled texts per label."""
