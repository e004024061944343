"""A YAML, TOML or JSON file, read as plain values."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from everstep.errors import UsageError

T = TypeVar("T")


def read_document(path: Path, kind: type[T], what: str, *, is_secret: bool = False) -> T:
    """The file's content as a shape. what: it is called in errors, which quote nothing of it if it is secret. Raises UsageError."""
    try:
        content: object = _decoded(path, what)
        # Keys may be numbers in YAML and are texts elsewhere, as the shapes want them.
        return msgspec.convert(content, kind, strict=False, str_keys=path.suffix in (".json", ".toml"))
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error}") from error
    except msgspec.ValidationError as error:  # it names members and types
        raise UsageError(f"the {what} {path} is not understood: {error}") from error
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if not is_secret:
            raise UsageError(f"the {what} {path} is not understood: {error}") from error
        places = re.findall(r"line \d+, column \d+", str(error))  # YAML's errors quote the line too
        said = f"it is no valid {path.suffix[1:].upper()}" + (f", {places[-1]}" if places else "")
        raise UsageError(f"the {what} {path} is not understood: {said}") from None


def _decoded(path: Path, what: str) -> object:
    match path.suffix:
        case ".json":
            return msgspec.json.decode(path.read_bytes())
        case ".toml":
            return tomllib.loads(path.read_text())
        case ".yaml" | ".yml":
            return msgspec.yaml.decode(path.read_bytes())
        case other:
            raise UsageError(f"the {what} {path} has the suffix {other!r}; it must be .yaml, .yml, .toml or .json")
