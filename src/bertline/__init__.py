"""bertline: the production line for BERT encoders, from labelled text to a watched service."""

__version__ = "0.1.0"
