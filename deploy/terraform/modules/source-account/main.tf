# The source account: the role that finds recovery points and shares them with the scratch account, and, if it is wanted,
# a key to share them under. Nothing that is here already is changed.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  role_arn  = "arn:${local.partition}:iam::${local.account}:role/${var.role_name}"
}

resource "aws_iam_role" "this" {
  count                = var.create_role ? 1 : 0
  name                 = var.role_name
  description          = "restorecheck finds recovery points with this role and shares them; it reads no database and changes none"
  max_session_duration = 3600 # a role that is entered from a role lasts no longer anyway
  assume_role_policy   = templatefile("${path.module}/policies/source.trust.json.tftpl", local.named)
  tags                 = var.tags
}

resource "aws_kms_key" "share" {
  count               = var.create_share_key ? 1 : 0
  description         = "Snapshots that restorecheck shares with the scratch account"
  enable_key_rotation = true
  tags                = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = ["arn:${local.partition}:iam::${local.account}:root"] }
        Action    = ["kms:*"]
        Resource  = ["*"]
      },
    ], local.in_keys)
  })
  lifecycle {
    prevent_destroy = true # copies under it would be lost with it
  }
}

resource "aws_kms_alias" "share" {
  count         = var.create_share_key ? 1 : 0
  name          = "alias/restorecheck-share"
  target_key_id = aws_kms_key.share[0].key_id
}
