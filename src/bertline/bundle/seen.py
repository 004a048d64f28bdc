"""Hashes of the texts that a model has learned from or was chosen by: ``reference/seen.npy``.

The texts themselves do not travel. Eight bytes of each normalised text are enough to tell whether a table that is meant
to judge the model contains some of them. They keep no secret: whoever guesses a text can check the guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle.reference import FOLDER
from bertline.data.duplicates import normalise
from bertline.errors import BundleError
from bertline.text.reading import Input, joined

FILE = f"{FOLDER}/seen.npy"


def write_seen(bundle: Path, inputs: Iterable[Input]) -> None:
    """Write the hashes of ``inputs`` into the bundle at ``bundle``."""
    (bundle / FOLDER).mkdir(exist_ok=True)
    np.save(bundle / FILE, np.unique(_hashes(inputs)), allow_pickle=False)


def seen_among(bundle: Path, inputs: Iterable[Input]) -> np.ndarray[Any, Any] | None:
    """Which of ``inputs`` the model has seen, as booleans; None if the bundle does not say.

    Equal means equal but for case, width, punctuation and white space.

    Raises:
        BundleError: the file is not what ``write_seen`` writes.
    """
    path = bundle / FILE
    if not path.is_file():
        return None
    try:
        hashes = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BundleError(f"{path} is not a list of hashes ({error}): write the bundle again") from error
    return np.isin(_hashes(inputs), hashes)


def _hashes(inputs: Iterable[Input]) -> np.ndarray[Any, Any]:
    digests = (
        blake2b(normalise(joined(one)).encode("utf-8", "surrogatepass"), digest_size=8).digest() for one in inputs
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")
