"""Settings out of defaults, preset, config file and command line, in this order."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from lungseg import settings_text, storage
from lungseg.errors import UserError
from lungseg.settings import PRESETS, Section, Settings


def describe() -> Iterator[tuple[str, FieldInfo]]:
    """Every setting by its dotted name, in order, for the help text and the documents."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner, inner_field in section.model_fields.items():
                yield f"{name}.{inner}", inner_field
        else:
            yield name, field


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        merged[key] = _merge(dict(inner), value) if both else value  # type: ignore[arg-type]
    return merged


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return dict(value)


def _read_file(path: str) -> dict[str, Any]:
    try:
        content = settings_text.parse(storage.read_text(path)) or {}
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"the config file {path} is not YAML: {_one_line(error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"the config file {path} is not a mapping of settings to values")
    nested: dict[str, Any] = {}
    for name, value in content.items():
        nested = _merge(nested, _nested(str(name), value))
    return nested


def _assignment(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set takes key=value, not {text!r}")
    try:
        return _nested(name.strip(), settings_text.parse(value))
    except yaml.YAMLError as error:
        raise UserError(f"--set {text}: the value is not YAML: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"])
    names = [name for name, _ in describe()]
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(dotted, names, n=1, cutoff=0.4)
        near = near or [name for name in names if name.endswith(f".{dotted}")][:1]
        hint = f"; the nearest known one is {near[0]}" if near else ""
        return f"unknown setting {dotted}{hint}"
    message = first["msg"].removeprefix("Value error, ")
    if not dotted:
        return message
    return f"setting {dotted} cannot be {first['input']!r}: {message[:1].lower()}{message[1:]}"


def resolve(
    *,
    preset: str | None = None,
    config: str | None = None,
    assignments: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    found: Mapping[str, Any] | None = None,
) -> Settings:
    """Lay preset, what a search has found, config file, `--set` assignments and options over the
    defaults, in this order.

    Args:
        preset: one of `PRESETS`; also taken from the config file.
        config: path of a YAML file.
        assignments: texts "section.name=value".
        options: dotted names to values; None counts as not given.
        found: dotted names to values.

    Raises:
        UserError: an unknown setting (the nearest known one is named) or a value out of range.
    """
    given = _given(config, assignments, options)
    chosen = preset or given.get("preset") or Settings.model_fields["preset"].default
    if chosen not in PRESETS:
        raise UserError(f"there is no preset {chosen!r}: take one of {', '.join(PRESETS)}")
    below = PRESETS[chosen]
    for name, value in (found or {}).items():
        below = _merge(below, _nested(name, value))
    return _validated(_merge(below, given) | {"preset": chosen})


def given_names(
    config: str | None, assignments: Sequence[str], options: Mapping[str, Any]
) -> frozenset[str]:
    """Dotted names of the settings that the user has given a value (arguments as in `resolve`)."""
    given = _given(config, assignments, options)

    def given_value(name: str) -> bool:
        section, _, inner = name.partition(".")
        inside = given.get(section)
        return inner in inside if inner and isinstance(inside, Mapping) else name in given

    return frozenset(name for name, _ in describe() if given_value(name))


def value_of(settings: Settings, name: str) -> Any:
    """The value of a setting by its dotted name."""
    section, _, inner = name.partition(".")
    value = getattr(settings, section)
    return getattr(value, inner) if inner else value


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Settings with other values for some dotted names.

    Raises:
        UserError: a value is out of range.
    """
    content = settings.model_dump()
    for name, value in values.items():
        content = _merge(content, _nested(name, value))
    return _validated(content)


def _given(
    config: str | None, assignments: Sequence[str], options: Mapping[str, Any] | None
) -> dict[str, Any]:
    given: dict[str, Any] = _read_file(config) if config else {}
    for text in assignments:
        given = _merge(given, _assignment(text))
    for name, value in (options or {}).items():
        if value is not None:
            given = _merge(given, _nested(name, value))
    return given


def _validated(content: dict[str, Any]) -> Settings:
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise UserError(_explain(error)) from error
    try:
        password = urlsplit(settings.train.mlflow).password
    except ValueError as error:
        raise UserError(f"train.mlflow {settings.train.mlflow} is no address: {error}") from error
    if password is not None:
        raise UserError(
            "the password in train.mlflow would stand in the run's folder: put it into "
            "MLFLOW_TRACKING_PASSWORD, and the name into MLFLOW_TRACKING_USERNAME, on every machine"
        )
    return settings
