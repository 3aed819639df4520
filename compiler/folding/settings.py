# SPDX-License-Identifier: Apache-2.0
"""Foldings by hand as they are written: YAML or JSON files, and `LAYER:PE=4,SIMD=8`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from qnnc.compiler.errors import OptionError, printable, quote

Value = int | str
MOST_BYTES = 4 << 20
"""Of a file: far more than the largest network needs."""
FORM = "LAYER: {PE: 4, SIMD: 8}"


@dataclass(frozen=True)
class Setting:
    """What a user asks for.

    Attributes:
        name: a layer of the model, a dataflow node, or an operator.
        operator: of the layer's nodes, those with this operator; empty for those that compute it.
        values: attribute -> value.
        where: who says so, for errors: a file, or an option.
        strong: outdoes what a file says.
    """

    name: str
    operator: str
    values: Mapping[str, Value]
    where: str
    strong: bool = False


def read_settings(path: Path) -> list[Setting]:
    """Settings from a file: YAML, JSON, or FINN's folding_config.json.

    Raises:
        OptionError: the file cannot be read, or is not of the form.
    """
    where = f"--folding {path}"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OptionError(f"{where} is not a folding: it has more than {MOST_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(f"cannot read {where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{where} is not text in UTF-8") from error
    loaded = _from_json(text, where) if text.lstrip()[:1] == "{" else _from_yaml(text, where)
    if loaded is None:
        return []
    if not isinstance(loaded, dict):
        raise OptionError(f"{where} is not a folding: it has to be lines such as {FORM}")
    return [setting for key, value in loaded.items() for setting in _settings(key, value, where)]


def parse_setting(text: str) -> Setting:
    """A setting from an option, `LAYER:PE=4,SIMD=8`; raises OptionError for anything else."""
    name, colon, pairs = text.rpartition(":")
    values: dict[str, Value] = {}
    for pair in pairs.split(","):
        attribute, equals, value = (part.strip() for part in pair.partition("="))
        if not (colon and name and equals and attribute and value):
            raise OptionError(f"--set is LAYER:PE=4,SIMD=8, not {quote(text)}")
        if attribute in values:
            raise OptionError(f"--set {quote(text)} says {quote(attribute)} twice")
        values[attribute] = _number(value)
    return Setting(name, "", values, "--set", strong=True)


def settings_text(entries: Iterable[tuple[str, Mapping[str, Value], Sequence[str]]]) -> str:
    """A folding as YAML that `read_settings` reads back.

    Args:
        entries: node, its attributes, and the layers of the model that it does.
    """
    import yaml

    lines = [
        "# The folding of every node. The same command with --folding and this file gives the same",
        "# build. What you leave out, qnnc chooses. Layers' names may stand in place of nodes'.",
    ]
    for name, values, layers in entries:
        if not values:
            continue
        if layers:
            lines.append(f"# {', '.join(printable(layer) for layer in layers)}")
        whole = yaml.safe_dump({name: dict(values)}, sort_keys=False, width=1 << 20)
        lines.append(whole.rstrip("\n"))
    return "\n".join(lines) + "\n"


def _settings(key: object, value: object, where: str) -> list[Setting]:
    name = _name(key, where)
    if name == "Defaults" and isinstance(value, dict) and not _is_flat(value):
        return _defaults(value, where)
    if not isinstance(value, dict):
        raise OptionError(f"{where}: {quote(name)} is not of the form {FORM}")
    flat: dict[str, Value] = {}
    inner: list[Setting] = []
    for attribute, item in value.items():
        inside = _name(attribute, where)
        if isinstance(item, dict):
            if not _is_flat(item):
                raise OptionError(f"{where}: {quote(inside)} of {quote(name)} has too many levels")
            plain = {_name(k, where): _value(v, name, where) for k, v in item.items()}
            inner.append(Setting(name, inside, plain, where))
        elif isinstance(item, list):
            flat[inside] = ""  # FINN's FIFO depths: not for us, whatever they are
        else:
            flat[inside] = _value(item, name, where)
    return [Setting(name, "", flat, where), *inner] if flat else inner


def _defaults(value: Mapping[object, object], where: str) -> list[Setting]:
    """FINN's `Defaults`: attribute -> [value, ["all"] or operators]."""
    found = []
    for attribute, item in value.items():
        name = _name(attribute, where)
        if not (isinstance(item, list) and len(item) == 2 and isinstance(item[1], list)):
            raise OptionError(f'{where}: {quote(name)} in Defaults is not [value, ["all"]]')
        plain = _value(item[0], "Defaults", where)
        found += [Setting(_name(op, where), "all", {name: plain}, where) for op in item[1]]
    return found


def _is_flat(value: Mapping[object, object]) -> bool:
    return not any(isinstance(item, (dict, list)) for item in value.values())


def _name(key: object, where: str) -> str:
    if isinstance(key, bool) or not isinstance(key, (int, str)):
        raise OptionError(f"{where}: the name {str(key)[:60]!r} has to stand in quotes")
    return str(key)


def _value(value: object, name: str, where: str) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise OptionError(
            f"{where}: {quote(name)} has the value {str(value)[:60]!r}; values are whole numbers "
            "and words"
        )
    return _number(value) if isinstance(value, str) else value


def _number(text: str) -> Value:
    whole = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if whole else text


def _twice(key: object, where: str) -> NoReturn:
    raise OptionError(f"{where} names {quote(str(key))} twice")


def _from_json(text: str, where: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                _twice(key, where)
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{where} is neither YAML nor JSON: {error}") from error


def _from_yaml(text: str, where: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses keys that stand twice, of which YAML takes the last in silence."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            name = _name(key, where)
            if name in found:
                _twice(name, where)
            found[name] = loader.construct_object(value_node, deep=True)
        return found

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return yaml.load(text, Loader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise OptionError(f"{where} is not YAML: {line[:200]}") from error
