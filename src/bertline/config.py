"""Load settings from four layers: defaults < ``bertline.toml`` < environment < command-line flags.

Each component owns one frozen pydantic model. Its table in ``bertline.toml`` and its prefix in the
environment are the component's name: ``[train] epochs = 3``, ``BERTLINE_TRAIN_EPOCHS=3``, ``--epochs 3``.
In the environment, a list is separated by commas (``BERTLINE_TRAIN_SLICE_COLUMNS=source,year``) and a switch
is true or false. An unknown key is an error that suggests the nearest one; an error about a value names the
layer that set it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from bertline.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    Model = TypeVar("Model", bound=BaseModel)

FILE = Path("bertline.toml")
PREFIX = "BERTLINE_"
COMPONENTS = (
    "train",
    "vocab",
    "pretrain",
    "optimize",
    "distill",
    "plan",
    "serve",
    "auth",
    "limits",
    "tls",
    "edge",
    "logs",
    "traces",
    "store",
    "registry",
    "retrain",
    "rollout",
    "predictions",
)
SHORT = {"BERTLINE_REGISTRY": "BERTLINE_REGISTRY_URL", "BERTLINE_STORE": "BERTLINE_REGISTRY_STORE"}

# Kubernetes sets variables for every service in the namespace. A service named bertline-serve sets
# BERTLINE_SERVE_SERVICE_HOST, BERTLINE_SERVE_PORT=tcp://10.0.0.1:80, BERTLINE_SERVE_PORT_80_TCP_ADDR …
_LINK_NAME = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")


def load_settings(
    model: type[Model],
    component: str,
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path = FILE,
    environ: Mapping[str, str] | None = None,
    flag_prefix: str = "",
) -> Model:
    """The settings of one component, from all four layers.

    Args:
        model: the component's settings and their defaults.
        component: its name, one of ``COMPONENTS``.
        file: path of ``bertline.toml``; it need not exist.
        environ: replaces the process's environment.
        flags: values given on the command line; None means "not given".
        flag_prefix: prefix of the flags' names, for messages.

    Raises:
        SettingsError: an unknown key or table, a value of the wrong type or out of range, an unreadable file.
    """
    known = list(model.model_fields)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    layers = (
        _from_file(file, component, known),
        _from_environment(os.environ if environ is None else environ, component, model),
        {
            name: (value, f"--{flag_prefix}{name.replace('_', '-')}")
            for name, value in (flags or {}).items()
            if value is not None
        },
    )
    for layer in layers:
        values |= {name: value for name, (value, _) in layer.items()}
        origins |= {name: origin for name, (_, origin) in layer.items()}
    return _validate(model, component, values, origins)


def given_settings(
    model: type[Model], component: str, values: Mapping[str, Any], *, others: Collection[str] = ()
) -> Model:
    """The settings of one component from keyword arguments only, without the file and the environment.

    Args:
        model: the component's settings and their defaults.
        component: the function that takes them, for messages.
        values: the keyword arguments.
        others: further parameters of the function, to suggest for an unknown name.

    Raises:
        SettingsError: an unknown name, a value of the wrong type or out of range.
    """
    known = [*model.model_fields, *others]
    for name in values:
        if name not in model.model_fields:
            raise SettingsError(f"{component} has no setting {name}{nearest(name, known)}")
    return _validate(model, component, values, {})


def _from_file(file: Path, component: str, known: list[str]) -> dict[str, tuple[Any, str]]:
    if not file.is_file():
        return {}
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} is not valid TOML ({error}): correct that line") from error
    for name, content in tables.items():
        if not isinstance(content, dict):
            raise SettingsError(f"{file} sets {name} outside of a table: write it below [{component}]")
        if name not in COMPONENTS:
            raise SettingsError(f"{file} has an unknown table [{name}]{nearest(name, COMPONENTS)}")
    table = tables.get(component, {})
    for name in table:
        if name not in known:
            raise SettingsError(f"{file} [{component}] has an unknown key {name}{nearest(name, known)}")
    return {name: (value, f"{file} [{component}] {name}") for name, value in table.items()}


def _from_environment(environ: Mapping[str, str], component: str, model: type[Model]) -> dict[str, tuple[Any, str]]:
    prefix = f"{PREFIX}{component.upper()}_"
    prefixes = tuple(f"{PREFIX}{one.upper()}_" for one in COMPONENTS)
    layer: dict[str, tuple[Any, str]] = {}
    for given, value in environ.items():
        variable = SHORT.get(given, given)
        if not variable.startswith(PREFIX) or _LINK_NAME.search(variable) or _LINK_VALUE.match(value):
            continue
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefixes) or (variable.startswith(prefix) and name not in model.model_fields):
            names = [prefix + one.upper() for one in model.model_fields]
            raise SettingsError(f"the environment sets an unknown {variable}{nearest(variable, names)}")
        if variable.startswith(prefix):
            layer[name] = (_parts(value) if _is_list(model, name) else value, given)
    return layer


def _is_list(model: type[Model], name: str) -> bool:
    annotation = model.model_fields[name].annotation
    return any(get_origin(one) in (tuple, list) for one in (annotation, *get_args(annotation)))


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _validate(model: type[Model], component: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Model:
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors(include_url=False)[0], component, origins)) from None


def _sentence(fault: ErrorDetails, component: str, origins: Mapping[str, str]) -> str:
    reason = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:  # an error about several settings together
        return f"the settings of {component} do not fit together: {reason}"
    name = str(fault["loc"][0])
    if fault["type"] == "missing":
        return f"{component} needs {name}: pass --{name.replace('_', '-')} or set it in {FILE} [{component}]"
    inner = [one for one in fault["loc"][1:] if isinstance(one, str)]  # of a table in the component's own
    place = ".".join([origins.get(name, name), *inner])
    return f"{place} is {fault['input']!r}: {reason[:1].lower()}{reason[1:]}"


def nearest(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: the nearest known name, or all of them."""
    match = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {match[0]}?" if match else f": valid names are {', '.join(sorted(known))}"
