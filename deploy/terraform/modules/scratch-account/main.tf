# The scratch account: a network without a way out, where restored databases live for an hour, the bucket that objects
# are restored into, a key, parameter groups that start nothing, and the role that works here.
# One module for each region in which backups are restored, in an account that holds nothing else. Nothing in here is
# worth keeping: it can be destroyed at any time, when no run is under way.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394:A subnet stays in the zone that it was made in, whatever is added later
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  zones     = length(var.zones) == 2 ? var.zones : slice(data.aws_availability_zones.this.names, 0, 2)
  role_arn  = "arn:${local.partition}:iam::${local.account}:role/${var.role_name}"
}

# --- Where databases are restored ---------------------------------------------------------------------------------------

resource "aws_db_subnet_group" "this" {
  name        = "restorecheck"
  description = "Private subnets without any route out"
  subnet_ids  = aws_subnet.databases[*].id
  tags        = var.tags
}

# What a restored database must not do by itself: run jobs that came with the backup (pg_cron, pg_partman and others are
# libraries that are not loaded; events are off), or subscribe to the publisher that production subscribes to.
locals {
  postgres = {
    shared_preload_libraries        = "pg_stat_statements"
    max_logical_replication_workers = "0"
  }
  mysql = { event_scheduler = "OFF" }
  groups = {
    "postgres14"   = local.postgres
    "postgres15"   = local.postgres
    "postgres16"   = local.postgres
    "postgres17"   = local.postgres
    "postgres18"   = local.postgres
    "mysql8.0"     = local.mysql
    "mysql8.4"     = local.mysql
    "mariadb10.11" = local.mysql
    "mariadb11.4"  = local.mysql
    "mariadb11.8"  = local.mysql
  }
  cluster_groups = {
    "aurora-postgresql14" = local.postgres
    "aurora-postgresql15" = local.postgres
    "aurora-postgresql16" = local.postgres
    "aurora-postgresql17" = local.postgres
    "aurora-mysql8.0"     = local.mysql
  }
}

resource "aws_db_parameter_group" "this" {
  for_each    = local.groups
  name        = "restorecheck-${replace(each.key, ".", "-")}"
  family      = each.key
  description = "Starts nothing that came with a backup"
  tags        = var.tags
  dynamic "parameter" {
    for_each = each.value
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  for_each    = local.cluster_groups
  name        = "restorecheck-${replace(each.key, ".", "-")}"
  family      = each.key
  description = "Starts nothing that came with a backup"
  tags        = var.tags
  dynamic "parameter" {
    for_each = each.value
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }
}

# --- Key and role -------------------------------------------------------------------------------------------------------

resource "aws_kms_key" "this" {
  description             = "Restored databases of restorecheck"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  tags                    = var.tags
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
    ], jsondecode(templatefile("${path.module}/policies/scratch.key.json.tftpl", local.named)).Statement)
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/restorecheck-scratch"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_iam_role" "this" {
  count                = var.create_role ? 1 : 0
  name                 = var.role_name
  description          = "restorecheck restores, asks and deletes with this role, and can touch nothing that it did not make"
  max_session_duration = 3600 # a role that is entered from a role lasts no longer anyway
  assume_role_policy   = templatefile("${path.module}/policies/scratch.trust.json.tftpl", local.named)
  tags                 = var.tags
}
