variable "service_role_arn" {
  description = "The role that restorecheck runs as: service_role_arn of service-ecs or service-lambda."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", var.service_role_arn))
    error_message = "service_role_arn must be the ARN of a role."
  }
}

variable "external_id" {
  description = "A word of your own that the service must say to enter; the same as external_id in config.toml."
  type        = string
  validation {
    condition     = can(regex("^[\\w+=,.@:/-]+$", var.external_id)) && length(var.external_id) >= 2
    error_message = "external_id must have 2 or more letters, digits and +=,.@:/-."
  }
}

variable "role_name" {
  description = "The name of the role that is made."
  type        = string
  default     = "restorecheck-source"
}

variable "create_role" {
  description = "False in every region but the first: a role is the same in all of them."
  type        = bool
  default     = true
}

variable "scratch_role_arn" {
  description = "role_arn of scratch-account: the role that restores. It may use the key."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", var.scratch_role_arn))
    error_message = "scratch_role_arn must be the ARN of a role."
  }
}

variable "create_share_key" {
  description = "Whether to make a key that copies are shared under. Snapshots under aws/rds cannot leave their account without one."
  type        = bool
  default     = true
}

variable "buckets" {
  description = "Versioned buckets with backups, and the prefix below which; an empty prefix is all of it."
  type        = list(object({ name = string, prefix = optional(string, "") }))
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
