"""From the options a person wrote to a frozen dataclass, and on to the identity they give an engine."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import Field, asdict, fields
from typing import TYPE_CHECKING, TypeVar, Union, get_args, get_origin, get_type_hints

from storage.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")

NO_EFFECT = types.MappingProxyType({"changes_results": False})
"""Metadata of a field that changes no result, such as a batch size: ``field(default=8, metadata=NO_EFFECT)``."""


def parse_options(engine: str, schema: type[OptionsT], options: Mapping[str, object]) -> OptionsT:
    """Return ``schema`` filled from ``options``; what is not given keeps its default.

    Fields are bool, int, float or str, each possibly ``| None``, or tuples such as ``tuple[float, ...]``, and have
    defaults. A whole number is taken for a float, a list for a tuple, and text is read as JSON where no text is
    wanted, so that the environment can say all of them; nothing else is converted. Numbers are finite. ``schema``
    checks values in ``__post_init__`` and says what is wrong with a ValueError.

    Raises:
        ConfigError: an option is unknown, has the wrong type or an impossible value; lists the options there are.
    """
    known = {item.name: item for item in fields(schema)}
    remedy = f"it knows {', '.join(map(_described, known.values())) or 'no options'}"
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(f"engine {engine!r}", f"unknown option {', '.join(unknown)}", remedy)
    hints = get_type_hints(schema)
    try:
        return schema(**{name: _checked(name, value, hints[name]) for name, value in options.items()})
    except ValueError as cause:
        raise ConfigError(f"engine {engine!r}", str(cause), remedy) from cause


def canonical_json(options: DataclassInstance) -> str:
    """Return the options that change results as JSON: defaults spelled out, keys sorted, no spaces."""
    relevant = {item.name for item in fields(options) if item.metadata.get("changes_results", True)}
    chosen = {name: value for name, value in asdict(options).items() if name in relevant}
    return json.dumps(chosen, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _described(item: Field[object]) -> str:
    return f"{item.name} ({item.default!r})"


def _checked(name: str, value: object, hint: object) -> object:
    allowed = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if isinstance(value, str) and str not in allowed:
        value = _read(value)
    if type(value) in allowed and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    if type(value) is int and float in allowed:
        return float(value)
    if isinstance(value, (list, tuple)) and get_origin(hint) is tuple:
        return tuple(_checked(name, item, get_args(hint)[0]) for item in value)
    wanted = " or ".join(_type_name(kind) for kind in allowed)
    message = f"option {name} must be {wanted}, not {value!r}"
    raise ValueError(message)


def _read(text: str) -> object:
    """Return what a text from the environment or the command line stands for, where no text is wanted."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _type_name(kind: object) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {_type_name(get_args(kind)[0])}"
    return "None" if kind is type(None) else getattr(kind, "__name__", str(kind))
