"""The verdicts of gates that the registry has kept, as a server shows them."""

from __future__ import annotations

from bertline.bundle.verdict import Verdict
from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.verdicts import Verdicts
from bertline.serving.problems import Code, Problem


class RegistryVerdicts:
    """Verdicts on the bundles of a registry. Its method blocks.

    Args:
        place: URL of the registry.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def about(self, digest: str) -> list[Verdict]:
        """The verdicts on a bundle, the newest first.

        Raises:
            Problem: the registry cannot be read.
        """
        try:
            with Database(self._place) as database:
                return [one.verdict for one in Verdicts(database).about(digest)]
        except RegistryError as error:
            raise Problem(Code.NOT_READY, f"{str(error).removesuffix('.')}.") from None
