# What must not be forgotten. A database and not a file system, because two tasks overlap whenever one is replaced: SQLite
# over NFS has no locks to rely on, and restorecheck takes over what a dead replica left by the database's clock.

# Both secrets are made by AWS and pass through Terraform without being kept in its own state.
ephemeral "aws_secretsmanager_random_password" "state" {
  password_length     = 40
  exclude_punctuation = true
}

# From it the passwords of scratch databases follow. Another key needs another state, so it is never replaced.
ephemeral "aws_secretsmanager_random_password" "key" {
  password_length     = 64
  exclude_punctuation = true
  exclude_uppercase   = true
  exclude_characters  = "ghijklmnopqrstuvwxyz" # what is left is hexadecimal
}

resource "aws_secretsmanager_secret" "state" {
  #checkov:skip=CKV_AWS_149:Only this account reads it; a key of its own would add a policy and no protection
  #checkov:skip=CKV2_AWS_57:A new password needs a new task; it is changed by hand, with the version of both
  name_prefix = "${var.name}-state-"
  description = "The password of the database in which restorecheck keeps its state"
  tags        = var.tags
}

resource "aws_secretsmanager_secret_version" "state" {
  secret_id                = aws_secretsmanager_secret.state.id
  secret_string_wo         = jsonencode({ username = "restorecheck", password = ephemeral.aws_secretsmanager_random_password.state.random_password })
  secret_string_wo_version = 1
}

# As it was kept: were it the one that was just made, an apply that broke off in between would leave two.
ephemeral "aws_secretsmanager_secret_version" "state" {
  secret_id = aws_secretsmanager_secret_version.state.secret_id
}

resource "aws_secretsmanager_secret" "key" {
  #checkov:skip=CKV_AWS_149:Only this account reads it; a key of its own would add a policy and no protection
  #checkov:skip=CKV2_AWS_57:Another key needs another state, so it is never replaced
  name_prefix = "${var.name}-key-"
  description = "The service key of restorecheck"
  tags        = var.tags
  lifecycle {
    prevent_destroy = true # without it nobody opens what a run has restored
  }
}

resource "aws_secretsmanager_secret_version" "key" {
  secret_id                = aws_secretsmanager_secret.key.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.key.random_password
  secret_string_wo_version = 1
}

resource "aws_db_subnet_group" "state" {
  name_prefix = "${var.name}-state-"
  description = "The state of restorecheck"
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_security_group" "state" {
  name_prefix = "${var.name}-state-"
  description = "The state of restorecheck - only restorecheck comes in, nothing goes out"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "state" {
  security_group_id            = aws_security_group.state.id
  referenced_security_group_id = var.security_group_id
  description                  = "restorecheck"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "state" {
  security_group_id            = var.security_group_id
  referenced_security_group_id = aws_security_group.state.id
  description                  = "restorecheck reads and writes its state"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = var.tags
}

resource "aws_db_instance" "state" {
  #checkov:skip=CKV_AWS_118:What matters is measured by restorecheck itself, StoreUp and its alarm
  #checkov:skip=CKV_AWS_157:A variable; without a standby runs wait, and none is lost
  #checkov:skip=CKV_AWS_161:libpq has no tokens of IAM that last as long as the service runs
  #checkov:skip=CKV2_AWS_30:Only restorecheck asks anything of it, and always the same
  #checkov:skip=CKV_AWS_353:Nobody looks into so small a database
  # Not restorecheck-*: what begins like that belongs to runs, and a sweep would ask what this is.
  identifier                      = "state-of-${var.name}"
  instance_class                  = var.state_class
  engine                          = "postgres"
  engine_version                  = "18"
  allocated_storage               = 20
  storage_type                    = "gp3"
  storage_encrypted               = true
  db_name                         = "restorecheck"
  username                        = "restorecheck"
  password_wo                     = jsondecode(ephemeral.aws_secretsmanager_secret_version.state.secret_string).password
  password_wo_version             = 1
  db_subnet_group_name            = aws_db_subnet_group.state.name
  vpc_security_group_ids          = [aws_security_group.state.id]
  publicly_accessible             = false
  multi_az                        = var.state_multi_az
  backup_retention_period         = 35
  copy_tags_to_snapshot           = true
  deletion_protection             = true # the proofs that backups can be restored
  skip_final_snapshot             = false
  final_snapshot_identifier       = "state-of-${var.name}-at-its-end"
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  engine_lifecycle_support        = "open-source-rds-extended-support-disabled"
  tags                            = var.tags
  lifecycle {
    prevent_destroy = true
  }
}
