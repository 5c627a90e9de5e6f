output "service_role_arn" {
  description = "The role of the service, for service_role_arn of every other module."
  value       = var.create_role ? aws_iam_role.this[0].arn : local.role_arn
  depends_on  = [aws_iam_role_policy.around_functions] # Lambda makes no function that could not reach into its network
}
