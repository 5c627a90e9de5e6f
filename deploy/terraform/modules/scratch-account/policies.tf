# The policies are made by restorecheck.iam from its own table of calls; the files in policies/ are not to be edited.

locals {
  named = {
    partition         = local.partition
    account           = local.account
    region            = local.region
    source_account_id = var.source_account_id
    service_role_arn  = var.service_role_arn
    external_id       = var.external_id
    subnet_group      = aws_db_subnet_group.this.name
    bucket            = aws_s3_bucket.this.bucket
    object_arns       = [for one in var.source_buckets : "arn:${local.partition}:s3:::${one.name}/${one.prefix}*"]
  }
  # One policy is at most 6,144 characters, so there are several.
  parts = toset([for name in fileset("${path.module}/policies", "scratch-*.json.tftpl") : trimsuffix(name, ".json.tftpl")])
  documents = {
    for part in local.parts : part => jsondecode(
      templatefile("${path.module}/policies/${part}.json.tftpl", merge(local.named, { key_arn = aws_kms_key.this.arn }))
    )
  }
}

resource "aws_iam_policy" "this" {
  for_each    = local.parts
  name        = "${var.role_name}-${local.region}-${each.key}"
  description = "What restorecheck may do in a scratch account"
  # Without buckets there is nothing to be said about them, and AWS takes no statement without a resource.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for one in local.documents[each.key].Statement : one if length(one.Resource) > 0]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = aws_iam_policy.this
  role       = var.role_name
  policy_arn = each.value.arn
  depends_on = [aws_iam_role.this]
}
