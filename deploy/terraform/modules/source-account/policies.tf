# The policies are made by restorecheck.iam from its own table of calls; the files in policies/ are not to be edited.

locals {
  named = {
    partition        = local.partition
    account          = local.account
    region           = local.region
    scratch_role_arn = var.scratch_role_arn
    service_role_arn = var.service_role_arn
    external_id      = var.external_id
    bucket_arns      = [for one in var.buckets : "arn:${local.partition}:s3:::${one.name}"]
    object_arns      = [for one in var.buckets : "arn:${local.partition}:s3:::${one.name}/${one.prefix}*"]
  }
  # One policy is at most 6,144 characters, so there may be several.
  parts     = toset([for name in fileset("${path.module}/policies", "source-*.json.tftpl") : trimsuffix(name, ".json.tftpl")])
  documents = { for part in local.parts : part => jsondecode(templatefile("${path.module}/policies/${part}.json.tftpl", local.named)) }
  in_keys   = jsondecode(templatefile("${path.module}/policies/source.key.json.tftpl", local.named)).Statement
  in_bucket = jsondecode(templatefile("${path.module}/policies/source.bucket.json.tftpl", local.named)).Statement
}

resource "aws_iam_policy" "this" {
  for_each    = local.parts
  name        = "${var.role_name}-${local.region}-${each.key}"
  description = "What restorecheck may do in a source account"
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
