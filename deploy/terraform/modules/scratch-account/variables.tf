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

variable "create_role" {
  description = "False in every region but the first: a role is the same in all of them."
  type        = bool
  default     = true
}

variable "role_name" {
  description = "The name of the role that is made, or, without create_role, of the one that was made for the first region."
  type        = string
  default     = "restorecheck-scratch"
}

variable "source_account_id" {
  description = "The account whose backups are restored."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.source_account_id))
    error_message = "source_account_id must have 12 digits."
  }
}

variable "source_buckets" {
  description = "Buckets of the source account that objects are copied from, and the prefix below which; an empty prefix is all of it."
  type        = list(object({ name = string, prefix = optional(string, "") }))
  default     = []
}

variable "vpc_cidr" {
  description = "Addresses of the network, a /20 or larger. They matter only if it is ever connected to another one."
  type        = string
  default     = "10.90.0.0/20"
}

variable "zones" {
  description = "Two zones of the region. Empty: its first two. Fargate and Lambda are not in every zone."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.zones) == 0 || length(var.zones) == 2 && length(distinct(var.zones)) == 2
    error_message = "zones must be two different ones, or none."
  }
}

variable "service_runs_here" {
  description = "Whether restorecheck runs in this network, so that it gets ways to the AWS services that it calls. These are billed by the hour."
  type        = bool
  default     = true
}

variable "endpoints_in_both_zones" {
  description = "Whether these ways end in both zones, at twice the price; a zone that fails then stops no run."
  type        = bool
  default     = false
}

variable "instance_class" {
  description = "Class of restored databases, for the lines of config.toml. Nothing is made of it here."
  type        = string
  default     = "db.t4g.medium"
}

variable "expire_days" {
  description = "Restored objects that everything else forgot go after so many days. Must be longer than a lease."
  type        = number
  default     = 7
  validation {
    condition     = var.expire_days >= 3
    error_message = "expire_days must be 3 or more."
  }
}

variable "log_days" {
  description = "How long it is kept who was refused by the network."
  type        = number
  default     = 365
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
