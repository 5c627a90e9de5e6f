output "state_address" {
  description = "Where the database of the state is."
  value       = aws_db_instance.state.address
}

output "topic_arn" {
  description = "The topic of the alarms; it can be a receiver in config.toml, too."
  value       = aws_sns_topic.alarms.arn
}

output "config_toml" {
  description = "Lines for config.toml. The password is in the environment of the task, and nowhere else."
  value       = <<-EOT
    state       = "postgresql://restorecheck@${aws_db_instance.state.address}/restorecheck?sslmode=verify-full&sslrootcert=/opt/package/restorecheck/databases/rds-global-bundle.pem"
    service_key = "/var/lib/restorecheck/service.key"
    workplace   = "/var/lib/restorecheck/work"

    [metrics]
    emf = "${var.metrics_namespace}"

    [receivers.topic]
    type  = "sns"
    topic = "${aws_sns_topic.alarms.arn}"
  EOT
}
