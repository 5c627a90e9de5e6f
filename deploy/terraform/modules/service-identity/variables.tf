variable "runs_on" {
  description = "What gives the service this identity: lambda for service-lambda, ecs-tasks for service-ecs."
  type        = string
  validation {
    condition     = contains(["lambda", "ecs-tasks"], var.runs_on)
    error_message = "runs_on must be lambda or ecs-tasks."
  }
}

variable "create_role" {
  description = "False in every region but the first in which the service runs: a role is the same in all of them."
  type        = bool
  default     = true
}

variable "role_name" {
  description = "The name of the role that is made, or, without create_role, of the one that was made for the first region."
  type        = string
  default     = "restorecheck-service"
}

variable "name" {
  description = "name of the service module, by which its functions, bucket, queue and topic are called."
  type        = string
  default     = "restorecheck"
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 20
    error_message = "name must have up to 20 lower-case letters, digits and single hyphens, and begin with a letter."
  }
}

variable "role_arns" {
  description = "The roles that it may enter: role_arn of each source-account and scratch-account."
  type        = list(string)
}

variable "topic_arns" {
  description = "Topics that config.toml names as receivers, beside the one of the service module."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of everything that is made here. Never restorecheck:managed, which belongs to runs."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(key, "restorecheck:")])
    error_message = "Tags that begin with restorecheck: belong to runs, which delete what carries them."
  }
}
