"""The one stylesheet, which stands in every page.

Rule: a page is seen as soon as it has arrived, so it waits for no second file; and no style works but this one, which the content
security policy knows by its hash.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

STYLE: Final = (Path(__file__).parent / "console.css").read_text(encoding="utf-8")
PROOF: Final = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""As the policy names it."""
