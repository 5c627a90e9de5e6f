# Who restorecheck is: the role that the service runs as. It may enter the source and scratch roles, and little else.
# In the account in which restorecheck will run. A module of its own, because the other roles name it, and it names them.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  here      = "${local.region}:${local.account}"
  role_arn  = "arn:${local.partition}:iam::${local.account}:role/${var.role_name}"
}

resource "aws_iam_role" "this" {
  count       = var.create_role ? 1 : 0
  name        = var.role_name
  description = "restorecheck itself - it may enter the source and scratch roles, and little else"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AwsRunsUs"
        Effect    = "Allow"
        Principal = { Service = "${var.runs_on}.amazonaws.com" }
        Action    = "sts:AssumeRole"
        # ECS says for which account it asks; of Lambda that is not documented.
        Condition = { StringEqualsIfExists = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
  tags = var.tags
}

# Made by restorecheck.iam from its own table of calls; the files in policies/ are not to be edited.
resource "aws_iam_role_policy" "service" {
  name = "service-${local.region}"
  role = var.role_name
  policy = jsonencode(jsondecode(templatefile("${path.module}/policies/service-${var.runs_on}.json.tftpl", {
    partition  = local.partition
    account    = local.account
    region     = local.region
    name       = var.name
    role_arns  = var.role_arns
    topic_arns = var.topic_arns
  })))
  depends_on = [aws_iam_role.this]
}

# What Lambda itself does as this role: reach into the network, write the log, keep what could not be carried out.
resource "aws_iam_role_policy" "around_functions" {
  count = var.runs_on == "lambda" ? 1 : 0
  name  = "around-functions-${local.region}"
  role  = var.role_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.here}:log-group:/aws/lambda/${var.name}-*"
      },
      {
        Sid      = "KeepWhatCouldNotBeCarriedOut"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:${local.partition}:sqs:${local.here}:${var.name}-dead-letters"
      },
      {
        Sid    = "ReachIntoTheNetwork" # AWS knows no narrower resource for what it describes
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses",
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      },
      {
        Sid       = "ButNotOurCode" # these calls are Lambda's own, and no function makes them
        Effect    = "Deny"
        Action    = "ec2:*"
        Resource  = "*"
        Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.here}:function:${var.name}-*" } }
      },
    ]
  })
  depends_on = [aws_iam_role.this]
}
