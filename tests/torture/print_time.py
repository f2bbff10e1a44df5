"""Prints what time it is, by all that tell it: `python -m tests.torture.print_time`."""

import time
from datetime import UTC, datetime

if __name__ == "__main__":
    utc = datetime.utcnow().replace(tzinfo=UTC)  # pyright: ignore[reportDeprecated]  # other code may call it
    clocks = [time.time(), time.time_ns() / 1e9, datetime.now().timestamp(), datetime.now(UTC).timestamp()]
    print(*clocks, datetime.today().timestamp(), utc.timestamp())
