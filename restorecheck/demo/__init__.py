"""Everything that lets restorecheck be tried without an AWS account. The product itself imports none of it."""
