from __future__ import annotations

import os
from pathlib import Path

import pytest

from everstep.errors import UsageError
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.urls import store_at


def test_memory_is_a_store_of_its_own_each_time() -> None:
    store = store_at("memory://")

    assert isinstance(store, MemoryStore)
    assert store_at("memory://") is not store


async def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here.db", f"sqlite:///{tmp_path}/there.db", "sqlite:///with%20space.db?synchronous=normal"):
        store = store_at(url)
        await store.open()
        await store.close()

    assert sorted(os.listdir(tmp_path)) == ["here.db", "there.db", "with space.db"]


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("orders.db", "write sqlite:///orders.db"),
        ("/var/orders.db", "write sqlite:////var/orders.db"),
        ("C:/orders.db", "write sqlite:///C:/orders.db"),
        (":memory:", "memory://"),
        ("", "forms are"),
        ("sqlite://orders.db", "three slashes, sqlite:///orders.db"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "use memory://"),
        ("sqlite:///orders.db?synchronous=off", "synchronous=full or synchronous=normal"),
        ("sqlite:///orders.db?journal=wal", "synchronous=full or synchronous=normal"),
        ("mysql://host/db", "no store for mysql:// URLs"),
    ],
)
def test_anything_else_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(UsageError) as refusal:
        store_at(url)

    assert advice in str(refusal.value)
