"""What the unit tests share: botocore's models, read once."""

from botocore_models import remember

remember()
