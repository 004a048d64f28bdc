"""Names of models in addresses, plain or with ``%2F`` for their slashes: a path is decoded before it is routed."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor

from bertline.serving.model_names import RESERVED

KIND = "model"


class _Name(Convertor[str]):
    regex = f"[^/]+(?:/(?!(?:{'|'.join(sorted(RESERVED))})(?:/|$))[^/]+)*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor(KIND, _Name())


def converted(template: str) -> str:
    """The template of a route as Starlette matches it.

    >>> converted("/v2/models/{name}/ready")
    '/v2/models/{name:model}/ready'
    """
    return template.replace("{name}", f"{{name:{KIND}}}")
