"""Flags from a component's settings: one per field, with the field's description and default in ``--help``.

The settings model is the only list of settings; the command line, ``bertline.toml`` and the environment read it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bertline.config import load_settings


def with_settings(
    model: type[BaseModel], component: str | None = None, **others: type[BaseModel]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one flag per field of ``model``; its parameter ``settings`` receives the loaded settings.

    A flag that is not given leaves the value to the environment, ``bertline.toml`` and the default, in this order;
    without a ``component``, to the default alone.
    ``others`` are further components of the command by name, whose flags begin with it (``--tls-key``); the parameter
    of that name receives them.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name not in ("settings", *others)]
        flags = [_flag(name, field) for name, field in model.model_fields.items()]
        for other, its in others.items():
            fields = its.model_fields.items()
            flags += [_flag(f"{other}_{name}", field, _panel(other)) for name, field in fields if _on_a_line(field)]

        def run(**given: Any) -> Any:
            values = {name: _plain(given.pop(name)) for name in model.model_fields}
            loaded: dict[str, Any] = {"settings": _load(model, component, values)}
            for other, its in others.items():
                values = {name: _plain(given.pop(f"{other}_{name}", None)) for name in its.model_fields}
                loaded[other] = load_settings(its, other, values, flag_prefix=f"{other}-")
            return command(**loaded, **given)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *flags]}
        return run

    return decorate


def _load(model: type[BaseModel], component: str | None, values: dict[str, Any]) -> BaseModel:
    if component is not None:
        return load_settings(model, component, values)
    return model(**{name: value for name, value in values.items() if value is not None})


def _flag(name: str, field: FieldInfo, panel: str = "Settings") -> inspect.Parameter:
    kind = _flag_type(field.annotation)
    option = typer.Option(
        None,
        f"--{name.replace('_', '-')}",
        help=_help(field, name),
        show_default=False,
        rich_help_panel=panel,
    )
    annotation = list[str] | None if kind is list else kind | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _panel(component: str) -> str:
    return f"Settings: {component}"


def _on_a_line(field: FieldInfo) -> bool:
    """Whether a flag can say it; a table of tables belongs into ``bertline.toml``."""
    return get_origin(field.annotation) not in (dict, Mapping)


def _flag_type(annotation: Any) -> Any:
    """What the command line parses: choices stay choices, paths paths, tuples become repeated flags."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(one for one in get_args(annotation) if one is not type(None))
    origin = get_origin(annotation)
    if origin is Literal:
        return annotation
    if origin is tuple:
        return list
    return annotation if annotation in (bool, int, float, Path) else str


def _help(field: FieldInfo, name: str) -> str:
    text = field.description or name
    sentence = f"{text[:1].upper()}{text[1:]}."
    if field.is_required():
        return f"{sentence} Required."
    default = _shown(field.get_default(call_default_factory=True))
    return f"{sentence}{f' Default: {default}.' if default else ''}"


def _shown(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return ""
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _plain(value: Any) -> Any:
    return None if value in ([], ()) else value
