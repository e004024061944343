"""Stages between a value's JSON and what is recorded of it: compress, encrypt, keep elsewhere.

Names are loaded when they are first used, and the packages that a stage needs when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everstep.stages.api import Stage, Where
    from everstep.stages.compressed import Compressed
    from everstep.stages.directory import Directory
    from everstep.stages.encrypted import Encrypted
    from everstep.stages.keys import KeyRing, Keys
    from everstep.stages.kms import KmsKeys
    from everstep.stages.offloaded import Offloaded, Store
    from everstep.stages.pipeline import Pipeline
    from everstep.stages.preview import Preview
    from everstep.stages.s3 import S3

_MODULE_OF = {
    "Compressed": "compressed",
    "Directory": "directory",
    "Encrypted": "encrypted",
    "KeyRing": "keys",
    "Keys": "keys",
    "KmsKeys": "kms",
    "Offloaded": "offloaded",
    "Pipeline": "pipeline",
    "Preview": "preview",
    "S3": "s3",
    "Stage": "api",
    "Store": "offloaded",
    "Where": "api",
}

__all__ = [
    "S3",
    "Compressed",
    "Directory",
    "Encrypted",
    "KeyRing",
    "Keys",
    "KmsKeys",
    "Offloaded",
    "Pipeline",
    "Preview",
    "Stage",
    "Store",
    "Where",
]


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'everstep.stages' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"everstep.stages.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
