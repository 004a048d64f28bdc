"""The thing that ships: an HF-compatible checkpoint directory with ``bertline.json``, verified on load.

Free of torch and of any reader of weights: a bundle is checked before anything in it is interpreted.
"""

from bertline.bundle.card import model_card
from bertline.bundle.manifest import FileRecord, Manifest
from bertline.bundle.store import Bundle, check_new, check_target, load, writing

__all__ = ["Bundle", "FileRecord", "Manifest", "check_new", "check_target", "load", "model_card", "writing"]
