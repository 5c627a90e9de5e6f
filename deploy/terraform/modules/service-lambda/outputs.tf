output "state" {
  description = "Where the state is, for state in config.toml."
  value       = "s3://${aws_s3_bucket.state.bucket}/state"
}

output "config_location" {
  description = "Where config.toml and checks/ belong."
  value       = local.config
}

output "run_function" {
  description = "The function that runs checks, with its alias."
  value       = aws_lambda_alias.live.arn
}

output "topic_arn" {
  description = "The topic of the alarms; it can be a receiver in config.toml, too."
  value       = aws_sns_topic.alarms.arn
}

output "config_toml" {
  description = "Lines for config.toml."
  value       = <<-EOT
    state = "s3://${aws_s3_bucket.state.bucket}/state?region=${local.region}"

    [metrics]
    emf = "${var.metrics_namespace}"

    [receivers.topic]
    type  = "sns"
    topic = "${aws_sns_topic.alarms.arn}"
  EOT
}
