from __future__ import annotations

import pytest

from everstep.errors import UsageError
from everstep.server.access.exposure import check_exposure, is_of_this_machine

OPEN = ["", "0.0.0.0", "::", "10.1.2.3", "192.168.0.1", "example.com", "::ffff:10.0.0.1"]
PRIVATE = ["127.0.0.1", "127.1.2.3", "::1", "localhost"]


@pytest.mark.parametrize("host", PRIVATE)
def test_a_loopback_address_needs_no_credentials(host: str) -> None:
    check_exposure(host, has_keys=False, without_credentials=False)


@pytest.mark.parametrize("host", OPEN)
def test_another_address_needs_credentials_or_a_word(host: str) -> None:
    with pytest.raises(UsageError, match=r"--credentials FILE .* or --without-credentials"):
        check_exposure(host, has_keys=False, without_credentials=False)

    check_exposure(host, has_keys=True, without_credentials=False)
    check_exposure(host, has_keys=False, without_credentials=True)


def test_both_at_once_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="contradict"):
        check_exposure("127.0.0.1", has_keys=True, without_credentials=True)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:9000"])
def test_a_page_of_this_machine_is_no_stranger(origin: str) -> None:
    assert is_of_this_machine(origin)


@pytest.mark.parametrize(
    "origin", ["https://example.com", "http://localhost.example.com", "null", "", "http://10.0.0.1:9000", "file://", "http://a@localhost"]
)
def test_other_pages_are(origin: str) -> None:
    assert not is_of_this_machine(origin)
