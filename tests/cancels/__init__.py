"""
Every verb under random cancellations, on every driver, with the books kept.

    python -m tests.cancels --seconds 600 --driver all --seed 1

An application starts, changes and asks for chains, and is cancelled at random depths of each call: by time limits of
anyio and asyncio, by ``task.cancel()``, once or again and again. It runs in a process for each driver, so that a crash
is an exit code and a hang is a time limit. What each call intended and how it ended is written down, and afterwards
compared with the tables.
"""
