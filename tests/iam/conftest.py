"""The fixtures of the demo AWS, see tests/demo_world.py."""

from botocore_models import remember
from demo_world import aws, fresh_aws, world

__all__ = ["aws", "fresh_aws", "world"]

remember()
