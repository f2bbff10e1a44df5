"""The words in which every adapter refuses a caller's transaction."""

from __future__ import annotations

from typing import Final

IN_USE: Final = "is in use by another task; one task at a time per connection, so await one call before the next"
ABORTED: Final = "is aborted, as a statement in it failed before; roll it back, and do its work again in another"
