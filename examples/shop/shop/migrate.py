"""``python -m shop.migrate``: creates the tables of the shop and of otelq, and fills the shelves. Run it to deploy."""

import asyncio

from sqlalchemy.dialects.postgresql import insert

from .database import Product, connected

SHELVES = [{"name": "mug", "cents": 900, "stock": 5000}, {"name": "tea", "cents": 400, "stock": 5000}]


async def main() -> None:
    async with connected(migrate=True) as (sessions, _), sessions.begin() as session:
        await session.execute(insert(Product).values(SHELVES).on_conflict_do_nothing())


if __name__ == "__main__":
    asyncio.run(main())
