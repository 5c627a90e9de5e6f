output "role_arn" {
  description = "The role of the source account, for source_accounts in config.toml."
  value       = var.create_role ? aws_iam_role.this[0].arn : local.role_arn
}

output "share_key_arn" {
  description = "The key that copies are shared under; null without create_share_key."
  value       = one(aws_kms_key.share[*].arn)
}

output "key_policy_statements" {
  description = "What the policy of every key needs that backups are encrypted with: a list of statements, as JSON."
  value       = jsonencode(local.in_keys)
}

output "bucket_policy_statements" {
  description = "What the policy of every bucket needs that is restored with transfer = \"copy\": a list of statements, as JSON."
  value       = jsonencode(local.in_bucket)
}

output "config_toml" {
  description = "Lines for config.toml."
  value = join("\n", concat([
    "[source_accounts.production]",
    "id          = \"${local.account}\"",
    "role        = \"${local.role_arn}\"",
    "external_id = \"${var.external_id}\"",
    "regions     = [\"${local.region}\"]",
    ], var.create_share_key ? [
    "",
    "[source_accounts.production.share_key]",
    "${local.region} = \"${aws_kms_key.share[0].arn}\"",
  ] : [], [""]))
}
