"""restorecheck on the demo AWS: a shop database with 1,000 orders, and the product pointed at it."""

from pathlib import Path

import pytest
from botocore_models import remember
from demo_world import World, aws, fresh_aws, world
from product import Product

__all__ = ["aws", "fresh_aws", "product", "shop", "world"]

remember()

ORDERS = (
    "create table orders (id int primary key, customer text not null, at timestamptz not null)",
    "insert into orders select g, 'canary-' || g, now() - (g || ' minutes')::interval from generate_series(1, 1000) g",
)


@pytest.fixture
def shop(world: World) -> World:
    """A world with an encrypted database `shop` under a key that can be shared."""
    world.database("shop", *ORDERS, StorageEncrypted=True, KmsKeyId=world.source_key)
    return world


@pytest.fixture
def product(shop: World, tmp_path: Path) -> Product:
    """restorecheck with one check of the shop; no snapshot is there yet."""
    made = Product(shop, tmp_path)
    made.configure()
    made.check()
    return made
