# Alarms: docs/metrics-export.md says why each treats missing data as it does.

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:Names of alarms only, and CloudWatch cannot publish to a topic under aws/sns
  name         = "${var.name}-alarms"
  display_name = "restorecheck"
  tags         = var.tags
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "NoticesOfTheService"
        Effect    = "Allow"
        Principal = { AWS = var.service_role_arn }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  count     = var.alarm_email == null ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alarms = {
    broken = {
      about   = "A backup is broken. Restore an older recovery point by hand, today."
      metric  = "ChecksBroken"
      periods = 1
      missing = "ignore" # silence is the next alarm's
    }
    silent = {
      about   = "Nothing verifies backups, or its store cannot be read."
      metric  = "StoreUp"
      below   = 1
      periods = 3
    }
    unproven = {
      about   = "Whether a backup can be restored could not be told."
      metric  = "ChecksUnproven"
      periods = 1
    }
    overdue = {
      about   = "A check has not passed for two intervals of its schedule and its rto."
      metric  = "ChecksOverdue"
      periods = 3
    }
    too-old = {
      about   = "The newest proved backup of a check is older than its rpo allows."
      metric  = "ChecksPastRpo"
      periods = 3
    }
    leaked = {
      about   = "Restored copies outlived their runs. They hold production data and cost money."
      metric  = "LeakedResources"
      periods = 6
    }
    configuration = {
      about   = "The configuration is wrong, and nothing of it is done."
      metric  = "ConfigurationLoaded"
      below   = 1
      periods = 3
    }
    # What Lambda and SQS say of the functions themselves.
    ticks = {
      about      = "Nothing looks what is due: no tick was called for a quarter of an hour, or three ticks."
      metric     = "Invocations"
      below      = 1
      periods    = 3
      namespace  = "AWS/Lambda"
      statistic  = "Sum"
      dimensions = { FunctionName = aws_lambda_function.this["tick"].function_name }
    }
    # Of executions and not of invocations: an invocation that ends in an error is made again, and the run goes on.
    run-failed = {
      about      = "A run broke off. Its check is unproven, and the sweep deletes what it left."
      metric     = "DurableExecutionFailed"
      periods    = 1
      missing    = "notBreaching"
      namespace  = "AWS/Lambda"
      statistic  = "Sum"
      dimensions = { FunctionName = aws_lambda_function.this["run"].function_name }
    }
    run-timed-out = {
      about      = "A run lasted longer than longest_run_seconds. Its check is unproven, and the sweep deletes what it left."
      metric     = "DurableExecutionTimedOut"
      periods    = 1
      missing    = "notBreaching"
      namespace  = "AWS/Lambda"
      statistic  = "Sum"
      dimensions = { FunctionName = aws_lambda_function.this["run"].function_name }
    }
    tick-errors = {
      about      = "One tick after another fails. The log says why."
      metric     = "Errors"
      periods    = 3
      missing    = "notBreaching"
      namespace  = "AWS/Lambda"
      statistic  = "Sum"
      dimensions = { FunctionName = aws_lambda_function.this["tick"].function_name }
    }
    sweep-errors = {
      about      = "A sweep failed. What should have been deleted may still be there."
      metric     = "Errors"
      periods    = 1
      missing    = "notBreaching"
      namespace  = "AWS/Lambda"
      statistic  = "Sum"
      dimensions = { FunctionName = aws_lambda_function.this["sweep"].function_name }
    }
    dead-letters = {
      about      = "A run broke off, or a function could not be called. It lies in the queue of dead letters until somebody removes it."
      metric     = "ApproximateNumberOfMessagesVisible"
      periods    = 1
      missing    = "notBreaching"
      namespace  = "AWS/SQS"
      dimensions = { QueueName = aws_sqs_queue.dead_letters.name }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  namespace           = try(each.value.namespace, var.metrics_namespace)
  metric_name         = each.value.metric
  dimensions          = try(each.value.dimensions, null)
  statistic           = try(each.value.statistic, try(each.value.below, null) == null ? "Maximum" : "Minimum")
  period              = contains([2, 5], var.tick_minutes) ? 300 : 3600 # one with a tick in it
  evaluation_periods  = each.value.periods
  comparison_operator = try(each.value.below, null) == null ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.below, 0)
  treat_missing_data  = try(each.value.missing, "breaching")
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = var.tags
}
