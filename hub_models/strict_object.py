"""Plain values of unknown origin (JSON, TOML) to frozen dataclasses, by their annotations.

`Annotated[float, 0, 1]` is a number with its least and its most; a field with a default may be
missing; nothing else may be there.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from hub_models.config import abbreviated, check_number
from hub_models.errors import ConfigError

T = TypeVar("T")


def read_object(kind: type[T], value: object, where: str = "") -> T:
    """Read a mapping as a dataclass.

    Args:
        kind: The dataclass; its fields are str, int, float, these as Annotated[kind, least, most],
            other dataclasses, tuple[X, ...], dict[str, X] or X | None.
        value: As a parser of JSON or TOML gave it.
        where: What error messages call it; empty for the whole file.

    Returns:
        An object of `kind`.

    Raises:
        ConfigError: If a field is unknown, missing, of another type or out of its range.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"{where or 'the file'} must be an object, not {abbreviated(value)}")
    known = {field.name: field for field in fields(cast(Any, kind))}
    unknown = sorted(set(value) - set(known), key=str)
    if unknown:
        place = f" in {where}" if where else ""
        raise ConfigError(f"unknown key {abbreviated(unknown[0])}{place}")
    hints = get_type_hints(kind, include_extras=True)
    prefix = f"{where}." if where else ""
    read = {}
    for name, field in known.items():
        if name in value:
            read[name] = _read(hints[name], value[name], prefix + name)
        elif _is_required(field):
            raise ConfigError(f"the key {prefix + name!r} is missing")
    return kind(**read)


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _read(kind: Any, value: object, where: str) -> Any:
    if is_dataclass(kind):
        return read_object(cast(type, kind), value, where)
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return _in_range(_read(arguments[0], value, where), arguments[1:], where)
    if get_origin(kind) is tuple:
        items = _typed(list, "a list", value, where)
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if get_origin(kind) is dict:
        mapping = _typed(dict, "an object", value, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in mapping.items()}
    if NoneType in arguments:
        return None if value is None else _read(arguments[0], value, where)
    if kind is float:
        return check_number(value, where)
    if kind is int:
        return _typed(int, "a whole number", value, where)
    return _typed(str, "a string", value, where)


def _typed(kind: type[T], name: str, value: object, where: str) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(f"{where} must be {name}, not {abbreviated(value)}")
    return value


def _in_range(number: float, bounds: tuple[float, ...], where: str) -> float:
    least, most = bounds
    if not least <= number <= most:
        raise ConfigError(f"{where} must be from {least:g} to {most:g}, not {abbreviated(number)}")
    return number
