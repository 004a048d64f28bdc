"""Names of models in paths. Their slashes may be sent as ``%2F``, because paths are decoded before routing."""

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
    """The template of a route in Starlette's syntax.

    >>> converted("/v2/models/{name}/ready")
    '/v2/models/{name:model}/ready'
    """
    return template.replace("{name}", f"{{name:{KIND}}}")
