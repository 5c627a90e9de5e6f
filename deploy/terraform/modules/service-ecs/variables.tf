variable "image_uri" {
  description = "An image of your own in ECR, made FROM restorecheck, with config.toml and checks/ in /etc/restorecheck. By digest; anything while tasks is 0."
  type        = string
}

variable "tasks" {
  description = "How many tasks: 0 the first time, while nobody knows yet where the state will be and so what the image must hold."
  type        = number
  default     = 1
  validation {
    condition     = contains([0, 1, 2], var.tasks)
    error_message = "tasks must be 0, 1 or 2."
  }
}

variable "name" {
  description = "Name of the cluster, the service and the log group."
  type        = string
  default     = "restorecheck"
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 20
    error_message = "name must have up to 20 lower-case letters, digits and single hyphens, and begin with a letter."
  }
}

variable "service_role_arn" {
  description = "service_role_arn of service-identity."
  type        = string
}

variable "vpc_id" {
  description = "vpc_id of scratch-account."
  type        = string
}

variable "subnet_ids" {
  description = "service_subnet_ids of scratch-account: two, in different zones."
  type        = list(string)
}

variable "security_group_id" {
  description = "service_security_group_id of scratch-account."
  type        = string
}

variable "monitoring_cidr" {
  description = "Who may scrape /metrics at port 9780, such as 10.20.0.0/16. Null: nobody; CloudWatch has the figures all the same."
  type        = string
  default     = null
}

variable "cpu" {
  description = "Processor of the task, in 1024ths. Dumps are restored with it."
  type        = number
  default     = 1024
}

variable "memory_mib" {
  description = "Memory of the task; Fargate allows two to eight times the processor."
  type        = number
  default     = 4096
}

variable "disk_gib" {
  description = "Room for dumps and their databases, twice over, and for files that are asked."
  type        = number
  default     = 21
  validation {
    condition     = var.disk_gib >= 21 && var.disk_gib <= 200
    error_message = "disk_gib must be between 21 and 200."
  }
}

variable "state_class" {
  description = "Class of the PostgreSQL of the state. The smallest will do."
  type        = string
  default     = "db.t4g.micro"
}

variable "state_multi_az" {
  description = "Whether it has a standby in another zone, at twice the price. Without it, runs wait while AWS replaces the instance."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 400
}

variable "metrics_namespace" {
  description = "Namespace of the metrics in CloudWatch; the same as emf in [metrics] of config.toml."
  type        = string
  default     = "restorecheck"
}

variable "alarm_email" {
  description = "Who is sent the alarms. Null: subscribe to the topic yourself, or nobody hears them."
  type        = string
  default     = null
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
