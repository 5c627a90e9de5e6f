variable "image_uri" {
  description = "The package as a container image for Lambda in ECR, by digest. Null: code says where the zip file is."
  type        = string
  default     = null
}

variable "code" {
  description = "The package as a zip file in S3, as deploy/lambda/build.py builds it: bucket, key, and its version. Only without image_uri."
  type        = object({ bucket = string, key = string, version = optional(string) })
  default     = null
}

variable "architecture" {
  description = "For what the package was built: the --arch of deploy/lambda/build.py."
  type        = string
  default     = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "release" {
  description = "A word for this package, new with each new package or setting. Runs under way end on the one they began with."
  type        = string
}

variable "config" {
  description = "Where config.toml and checks/ are: /var/task/config/config.toml in the package, or s3://bucket/prefix/. Null: config/ in the bucket that is made here."
  type        = string
  default     = null
}

variable "name" {
  description = "What the names of the functions begin with."
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

variable "subnet_ids" {
  description = "service_subnet_ids of scratch-account."
  type        = list(string)
}

variable "security_group_id" {
  description = "service_security_group_id of scratch-account."
  type        = string
}

variable "tick_minutes" {
  description = "How often it is looked what is due. Must be shorter than late in [service] of config.toml, or every run would be a missed one."
  type        = number
  default     = 5
  validation {
    condition     = contains([2, 5, 10, 15, 30, 60], var.tick_minutes)
    error_message = "tick_minutes must be one of 2, 5, 10, 15, 30 and 60."
  }
}

variable "sweep_minutes" {
  description = "How often it is looked for what outlived its run."
  type        = number
  default     = 60
  validation {
    condition     = var.sweep_minutes >= 10 && var.sweep_minutes <= 1440
    error_message = "sweep_minutes must be between 10 and 1440."
  }
}

variable "longest_run_seconds" {
  description = "When a run is ended whatever it does. Longer than run and every leg of teardown in the limits of config.toml together."
  type        = number
  default     = 86400
}

variable "memory_mib" {
  description = "Memory of each function. More memory is also more processor."
  type        = number
  default     = 1024
}

variable "disk_mib" {
  description = "Room in /tmp, for files of objects that are asked."
  type        = number
  default     = 2048
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 400
}

variable "state_days" {
  description = "How long earlier versions of the state are kept. Records of runs have no earlier versions, and stay."
  type        = number
  default     = 30
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
