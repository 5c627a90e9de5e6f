# The network: no internet gateway, no NAT, no peering, and no route but its own.

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # the private names of endpoints need it
  tags                 = merge(var.tags, { Name = "restorecheck-scratch" })
}

# The group that AWS makes with every network: nobody uses it, and it lets nothing in or out.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "restorecheck-unused" })
}

resource "aws_subnet" "databases" {
  count                   = 2
  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(var.vpc_cidr, 4, count.index)
  availability_zone       = local.zones[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "restorecheck-databases-${count.index}" })
  lifecycle {
    ignore_changes = [availability_zone] # AWS may add one, and name it before the others
  }
}

# A table of its own, with nothing in it: not even the way to S3, which the service has.
resource "aws_route_table" "databases" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "restorecheck-databases" })
}

resource "aws_route_table_association" "databases" {
  count          = 2
  route_table_id = aws_route_table.databases.id
  subnet_id      = aws_subnet.databases[count.index].id
}

resource "aws_subnet" "service" {
  count                   = 2
  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(var.vpc_cidr, 4, count.index + 8)
  availability_zone       = local.zones[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "restorecheck-service-${count.index}" })
  lifecycle {
    ignore_changes = [availability_zone] # AWS may add one, and name it before the others
  }
}

resource "aws_route_table" "service" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "restorecheck-service" })
}

resource "aws_route_table_association" "service" {
  count          = 2
  route_table_id = aws_route_table.service.id
  subnet_id      = aws_subnet.service[count.index].id
}

# Without a rule for what goes out, Terraform takes away the one that AWS makes: nothing does.
resource "aws_security_group" "databases" {
  #checkov:skip=CKV2_AWS_5:Runs give it to the databases that they restore
  name_prefix = "restorecheck-databases-"
  description = "Restored databases - only restorecheck comes in, nothing goes out"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "restorecheck-databases" })
}

resource "aws_security_group" "service" {
  #checkov:skip=CKV2_AWS_5:The service has it, which is another module
  name_prefix = "restorecheck-service-"
  description = "restorecheck itself - nobody comes in, it goes to databases and to AWS"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "restorecheck-service" })
}

locals {
  ports = { PostgreSQL = 5432, MySQL = 3306 }
}

resource "aws_vpc_security_group_ingress_rule" "databases" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.databases.id
  referenced_security_group_id = aws_security_group.service.id
  description                  = "restorecheck asks ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "service" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.service.id
  referenced_security_group_id = aws_security_group.databases.id
  description                  = "restorecheck asks ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  tags                         = var.tags
}

# The network has no way out, so this leads to the endpoints and to S3, and nowhere else.
resource "aws_vpc_security_group_egress_rule" "aws" {
  security_group_id = aws_security_group.service.id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

# --- The service's ways to AWS ------------------------------------------------------------------------------------------

locals {
  # Those that restorecheck calls; and for a task of ECS the image, its log and its secrets.
  services = ["sts", "rds", "kms", "ec2", "sns", "lambda", "logs", "secretsmanager", "ecr.api", "ecr.dkr"]
}

resource "aws_vpc_endpoint" "s3" {
  count             = var.service_runs_here ? 1 : 0
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.service.id]
  # Only buckets of the two accounts, and the layers of container images, which ECR keeps in buckets of its own.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "BucketsOfTheTwoAccounts"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*"
        Resource  = "*"
        Condition = { StringEquals = { "aws:ResourceAccount" = [local.account, var.source_account_id] } }
      },
      {
        Sid       = "LayersOfImages"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"
      },
    ]
  })
  tags = var.tags
}

resource "aws_security_group" "endpoints" {
  count       = var.service_runs_here ? 1 : 0
  name_prefix = "restorecheck-endpoints-"
  description = "Endpoints of AWS services - only restorecheck comes in"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "restorecheck-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count                        = var.service_runs_here ? 1 : 0
  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = aws_security_group.service.id
  description                  = "restorecheck"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_endpoint" "aws" {
  for_each            = var.service_runs_here ? toset(local.services) : toset([])
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = slice(aws_subnet.service[*].id, 0, var.endpoints_in_both_zones ? 2 : 1)
  security_group_ids  = [aws_security_group.endpoints[0].id]
  tags                = merge(var.tags, { Name = "restorecheck-${each.key}" })
}

# --- What the network refused: a restored database that tried to call somebody is seen here -----------------------------

resource "aws_flow_log" "refused" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "REJECT"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.refused.arn
  iam_role_arn             = aws_iam_role.refused.arn
  max_aggregation_interval = 600
  tags                     = var.tags
}

resource "aws_cloudwatch_log_group" "refused" {
  #checkov:skip=CKV_AWS_158:Addresses and ports of refused packets; CloudWatch encrypts them with a key of its own
  name_prefix       = "restorecheck-refused-"
  retention_in_days = var.log_days
  tags              = var.tags
}

resource "aws_iam_role" "refused" {
  name_prefix = "restorecheck-refused-"
  description = "Writes the flow log of the scratch network"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "vpc-flow-logs.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "refused" {
  name = "write"
  role = aws_iam_role.refused.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = "${aws_cloudwatch_log_group.refused.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = "logs:DescribeLogGroups" # AWS names it among the least that a flow log needs, and looks at all
        Resource = "*"
      },
    ]
  })
}
