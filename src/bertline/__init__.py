"""bertline: the production line for BERT encoders, from labelled text to a watched service."""

import os as _os

__version__ = "0.1.0"

# Nothing that bertline is built on reports to its maker, whatever the environment says. Here, because libraries read
# these variables when they are imported, and child processes inherit them. onnxruntime sends the names and hashes of
# models to Microsoft and keeps an id in the home directory (since 1.29, on Linux); huggingface-hub counts downloads by
# the library that asked for them.
_os.environ.update(ORT_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
