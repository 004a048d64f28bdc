"""Flags from a component's settings: one per field, with the field's description and default in ``--help``.

The settings model is the only list of settings; the command line, ``bertline.toml`` and the environment read it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bertline.config import load_settings


def with_settings(model: type[BaseModel], component: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one flag per field of ``model``; its parameter ``settings`` receives the loaded settings.

    A flag that is not given leaves the value to the environment, ``bertline.toml`` and the default, in this order.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != "settings"]
        flags = [_flag(name, field) for name, field in model.model_fields.items()]

        def run(**given: Any) -> Any:
            values = {name: _plain(given.pop(name)) for name in model.model_fields}
            return command(settings=load_settings(model, component, values), **given)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *flags]}
        return run

    return decorate


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    kind = _flag_type(field.annotation)
    option = typer.Option(
        None,
        f"--{name.replace('_', '-')}",
        help=_help(field, name),
        show_default=False,
        rich_help_panel="Settings",
    )
    annotation = list[str] | None if kind is list else kind | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


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
    text, default = field.description or name, _shown(field.get_default(call_default_factory=True))
    return f"{text[:1].upper()}{text[1:]}.{f' Default: {default}.' if default else ''}"


def _shown(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)


def _plain(value: Any) -> Any:
    return None if value in ([], ()) else value
