"""How large a value is to the service: bytes of UTF-8."""

from __future__ import annotations

from everstep.protocol.shapes import ErrorObject


def text_bytes(text: str | None) -> int:
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def error_bytes(error: ErrorObject | None) -> int:
    """All members together, as the limit counts them."""
    if error is None:
        return 0
    total = text_bytes(error.error_message) + text_bytes(error.error_type) + text_bytes(error.error_data)
    return total + sum(map(text_bytes, error.stack_trace)) if error.stack_trace else total
