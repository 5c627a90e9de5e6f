# restorecheck as three Lambda functions, with nothing that runs all the time: one that runs a check and may wait for
# hours, one that looks every few minutes what is due, one that sweeps. What must not be forgotten is in a bucket.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  config    = coalesce(var.config, "s3://${aws_s3_bucket.state.bucket}/config/")
  # A durable function, and two that are not.
  functions = {
    run   = { timeout = 900, about = "Runs one check, and may wait for hours between its steps" }
    tick  = { timeout = 300, about = "Looks what is due, starts it, and tells what there is to tell" }
    sweep = { timeout = 900, about = "Deletes what outlived its run" }
  }
}

# --- The functions ------------------------------------------------------------------------------------------------------

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:An account that is new has no concurrency to reserve; how many runs are under way is a limit of restorecheck itself
  #checkov:skip=CKV_AWS_116:Nobody repeats a tick or a sweep that failed, its Errors say it and the next one is due soon
  #checkov:skip=CKV_AWS_173:Names only, no variable holds a secret
  #checkov:skip=CKV_AWS_272:Signing is for who has a signing profile; the image is named by its digest
  for_each          = local.functions
  function_name     = "${var.name}-${each.key}"
  description       = each.value.about
  role              = var.service_role_arn
  package_type      = var.image_uri == null ? "Zip" : "Image"
  architectures     = [var.architecture]
  image_uri         = var.image_uri
  s3_bucket         = try(var.code.bucket, null)
  s3_key            = try(var.code.key, null)
  s3_object_version = try(var.code.version, null)
  runtime           = var.image_uri == null ? "python3.13" : null
  handler           = var.image_uri == null ? "restorecheck.handler.${each.key}" : null
  timeout           = each.value.timeout
  memory_size       = var.memory_mib
  publish           = each.key == "run" # a durable function is called by a version; runs under way stay on theirs
  tags              = merge(var.tags, { release = var.release })

  dynamic "image_config" {
    for_each = var.image_uri == null ? [] : [1]
    content {
      command = ["restorecheck.handler.${each.key}"]
    }
  }

  dynamic "durable_config" {
    for_each = each.key == "run" ? [1] : []
    content {
      execution_timeout = var.longest_run_seconds
      retention_period  = 14
    }
  }

  ephemeral_storage {
    size = var.disk_mib
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [var.security_group_id]
  }

  environment {
    variables = {
      RESTORECHECK_CONFIG       = local.config
      RESTORECHECK_RUN_FUNCTION = "${var.name}-run:live"
      RESTORECHECK_RELEASE      = var.release # read by nobody: Lambda makes no new version of what has not changed
      HOME                      = "/tmp"
    }
  }

  dynamic "dead_letter_config" {
    for_each = each.key == "run" ? [1] : []
    content {
      target_arn = aws_sqs_queue.dead_letters.arn
    }
  }

  tracing_config {
    mode = "PassThrough"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  timeouts {
    delete = "60m" # runs under way are stopped first
  }

  lifecycle {
    precondition {
      condition     = (var.image_uri == null) != (var.code == null)
      error_message = "Say image_uri or code, and only one of them."
    }
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.this["run"].function_name
  function_version = aws_lambda_function.this["run"].version
}

# A tick or a sweep that failed is not tried again: the next one is due soon, and would only meet the same twice.
resource "aws_lambda_function_event_invoke_config" "once" {
  for_each                     = { tick = 300, sweep = 3600 }
  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:No value of a row and no secret is ever logged; CloudWatch encrypts it with a key of its own
  for_each          = local.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
  skip_destroy      = true # what ran is evidence
  tags              = var.tags
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

# --- When they work -----------------------------------------------------------------------------------------------------

resource "aws_iam_role" "schedule" {
  name_prefix = "${var.name}-schedule-"
  description = "Calls the tick and the sweep of restorecheck on schedule"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "scheduler.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "schedule" {
  name = "call"
  role = aws_iam_role.schedule.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = [aws_lambda_function.this["tick"].arn, aws_lambda_function.this["sweep"].arn]
      },
      {
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.dead_letters.arn
      },
    ]
  })
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:It holds the name of a function and no data
  for_each            = { tick = var.tick_minutes, sweep = var.sweep_minutes }
  name                = "${var.name}-${each.key}"
  description         = local.functions[each.key].about
  schedule_expression = "rate(${each.value} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this[each.key].arn # not a durable function, so it needs no version
    role_arn = aws_iam_role.schedule.arn

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 300
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }
}
