"""A second predictor of a model's bundle, loaded when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bertline.errors import BundleError
from bertline.inference import TextClassifier


class Lazily:
    """Loads a predictor once, of the version that the model has.

    Args:
        load: loads it.
        owner: the model's own predictor.
    """

    def __init__(self, load: Callable[[], TextClassifier], owner: TextClassifier) -> None:
        self._load, self._owner = load, owner
        self._loaded: TextClassifier | None = None
        self._loading = threading.Lock()

    def get(self, purpose: str) -> TextClassifier:
        """The predictor.

        Args:
            purpose: what the model would be loaded again for: ``to embed with it``.

        Raises:
            BundleError: it cannot be loaded, or the bundle was replaced.
        """
        with self._loading:
            if self._loaded is None:
                loaded = self._load()
                if loaded.version != self._owner.version:
                    name = self._owner.name
                    raise BundleError(f"{name} was replaced since it was loaded: load it again {purpose}")
                self._loaded = loaded
            return self._loaded
