output "role_arn" {
  description = "The role of the scratch account, for scratch_accounts in config.toml."
  value       = var.create_role ? aws_iam_role.this[0].arn : local.role_arn
}

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "service_subnet_ids" {
  description = "Subnets for the service, for service-ecs and service-lambda."
  value       = aws_subnet.service[*].id
}

output "service_security_group_id" {
  description = "Security group of the service, for service-ecs and service-lambda."
  value       = aws_security_group.service.id
}

output "key_arn" {
  description = "The key of restored databases."
  value       = aws_kms_key.this.arn
}

output "bucket" {
  description = "The bucket that objects are restored into."
  value       = aws_s3_bucket.this.bucket
}

output "parameter_groups" {
  description = "Parameter groups by family, for parameter_group of a region, or of a check's [scratch]."
  value       = { for family, group in aws_db_parameter_group.this : family => group.name }
}

output "cluster_parameter_groups" {
  description = "Cluster parameter groups by family, for cluster_parameter_group of a region, or of a check's [scratch]."
  value       = { for family, group in aws_rds_cluster_parameter_group.this : family => group.name }
}

output "config_toml" {
  description = "Lines for config.toml."
  value       = <<-EOT
    [scratch_accounts.lab]
    id          = "${local.account}"
    role        = "${local.role_arn}"
    external_id = "${var.external_id}"

    [scratch_accounts.lab.regions.${local.region}]
    subnet_group    = "${aws_db_subnet_group.this.name}"
    security_groups = ["${aws_security_group.databases.id}"]
    key             = "${aws_kms_key.this.arn}"
    instance_class  = "${var.instance_class}"
    bucket          = "${aws_s3_bucket.this.bucket}"
  EOT
}
