# restorecheck as one Fargate task that runs all the time, with its state in a small PostgreSQL. It can restore dumps and
# ask questions that take hours, which functions cannot.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
}

# --- How it is started --------------------------------------------------------------------------------------------------

locals {
  of_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
        }
      },
    ]
  })
}

# What Fargate itself does before the task begins: fetch the image and the two secrets, and write the log.
resource "aws_iam_role" "start" {
  name_prefix        = "${var.name}-start-"
  description        = "Starts the task of restorecheck"
  assume_role_policy = local.of_tasks
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "start" {
  role       = aws_iam_role.start.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "start" {
  name = "secrets"
  role = aws_iam_role.start.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = [aws_secretsmanager_secret.state.arn, aws_secretsmanager_secret.key.arn]
      },
    ]
  })
}

# --- The task -----------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:No value of a row and no secret is ever logged; CloudWatch encrypts it with a key of its own
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_days
  skip_destroy      = true # what ran is evidence
  tags              = var.tags
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  task_role_arn            = var.service_role_arn
  execution_role_arn       = aws_iam_role.start.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  ephemeral_storage {
    size_in_gib = var.disk_gib
  }

  # Gone with the task: the state is in the database.
  volume {
    name = "work"
  }

  container_definitions = jsonencode([
    {
      name                   = "restorecheck"
      image                  = var.image_uri
      essential              = true
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      privileged             = false
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      # The key becomes a file, which restorecheck asks for, and leaves the environment of what runs.
      entryPoint = ["/usr/bin/tini", "--", "/bin/sh", "-euc"]
      command = [
        <<-EOT
        umask 077
        mkdir -p "$TMPDIR"
        printf '%s\n' "$SERVICE_KEY" >/var/lib/restorecheck/service.key
        unset SERVICE_KEY
        exec restorecheck serve --listen 0.0.0.0:9780 --log-format json
        EOT
      ]
      environment = [
        { name = "AWS_REGION", value = local.region },
        { name = "TMPDIR", value = "/var/lib/restorecheck/tmp" },
      ]
      secrets = [
        { name = "PGPASSWORD", valueFrom = "${aws_secretsmanager_secret.state.arn}:password::" },
        { name = "SERVICE_KEY", valueFrom = aws_secretsmanager_secret.key.arn },
      ]
      mountPoints  = [{ sourceVolume = "work", containerPath = "/var/lib/restorecheck", readOnly = false }]
      portMappings = [{ containerPort = 9780, protocol = "tcp" }]
      healthCheck = {
        command     = ["CMD", "restorecheck", "healthy"]
        interval    = 30
        timeout     = 10
        retries     = 3
        startPeriod = 60
      }
      stopTimeout = 60 # longer than `drain`, which is 20 seconds
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "restorecheck"
        }
      }
    },
  ])
}

resource "aws_ecs_service" "this" {
  name                   = var.name
  cluster                = aws_ecs_cluster.this.id
  task_definition        = aws_ecs_task_definition.this.arn
  launch_type            = "FARGATE"
  desired_count          = var.tasks
  enable_execute_command = false
  # The new task takes over what the old one gives up; for a moment there are two, and they share the work.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    assign_public_ip = false
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
  }

  depends_on = [aws_iam_role_policy.start, aws_iam_role_policy_attachment.start]
}

resource "aws_vpc_security_group_ingress_rule" "scraped" {
  count             = var.monitoring_cidr == null ? 0 : 1
  security_group_id = var.security_group_id
  cidr_ipv4         = var.monitoring_cidr
  description       = "Prometheus reads the figures"
  ip_protocol       = "tcp"
  from_port         = 9780
  to_port           = 9780
  tags              = var.tags
}
