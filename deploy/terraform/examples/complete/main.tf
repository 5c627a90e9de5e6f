# Everything in three accounts: production with backups, a scratch account with the network, and restorecheck beside it in
# that network. Copy it, put your accounts and buckets in, and choose one of the two services.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25"
    }
  }
}

variable "region" {
  description = "Where the backups are, and are restored."
  type        = string
  default     = "eu-central-1"
}

variable "production_account_id" {
  description = "The account whose backups are tested."
  type        = string
}

variable "scratch_account_id" {
  description = "An account that holds nothing else."
  type        = string
}

variable "deployer_role_name" {
  description = "The role in both accounts by which Terraform works there."
  type        = string
  default     = "OrganizationAccountAccessRole"
}

variable "external_id" {
  description = "A word of your own that the service must say to enter."
  type        = string
}

variable "image_uri" {
  description = "For ecs: the image of restorecheck in ECR of the scratch account, by digest."
  type        = string
  default     = null
}

variable "tasks" {
  description = "For ecs: 0 the first time, while nobody knows yet where the state will be and so what the image must hold."
  type        = number
  default     = 1
}

variable "code" {
  description = "For lambda: the zip file that deploy/lambda/build.py builds, in a bucket of the scratch account."
  type        = object({ bucket = string, key = string, version = optional(string) })
  default     = null
}

variable "runs_on" {
  description = "What restorecheck runs on: ecs or lambda."
  type        = string
  default     = "lambda"
  validation {
    condition     = contains(["ecs", "lambda"], var.runs_on)
    error_message = "runs_on must be ecs or lambda."
  }
}

variable "release" {
  description = "A word for this package, new with each new zip file."
  type        = string
  default     = "1"
}

variable "alarm_email" {
  description = "Who is sent the alarms."
  type        = string
}

locals {
  buckets = [{ name = "shop-exports", prefix = "exports/" }]
}

provider "aws" {
  alias  = "production"
  region = var.region
  assume_role {
    role_arn = "arn:aws:iam::${var.production_account_id}:role/${var.deployer_role_name}"
  }
}

provider "aws" {
  alias  = "scratch"
  region = var.region
  assume_role {
    role_arn = "arn:aws:iam::${var.scratch_account_id}:role/${var.deployer_role_name}"
  }
}

module "identity" {
  source    = "../../modules/service-identity"
  providers = { aws = aws.scratch }
  runs_on   = var.runs_on == "ecs" ? "ecs-tasks" : "lambda"
  role_arns = [module.production.role_arn, module.scratch.role_arn]
}

module "scratch" {
  source            = "../../modules/scratch-account"
  providers         = { aws = aws.scratch }
  service_role_arn  = module.identity.service_role_arn
  external_id       = var.external_id
  source_account_id = var.production_account_id
  source_buckets    = local.buckets
}

module "production" {
  source           = "../../modules/source-account"
  providers        = { aws = aws.production }
  service_role_arn = module.identity.service_role_arn
  external_id      = var.external_id
  scratch_role_arn = module.scratch.role_arn
  buckets          = local.buckets
}

module "lambda" {
  count             = var.runs_on == "lambda" ? 1 : 0
  source            = "../../modules/service-lambda"
  providers         = { aws = aws.scratch }
  code              = var.code
  release           = var.release
  service_role_arn  = module.identity.service_role_arn
  subnet_ids        = module.scratch.service_subnet_ids
  security_group_id = module.scratch.service_security_group_id
  alarm_email       = var.alarm_email
}

module "ecs" {
  count             = var.runs_on == "ecs" ? 1 : 0
  source            = "../../modules/service-ecs"
  providers         = { aws = aws.scratch }
  image_uri         = coalesce(var.image_uri, "none")
  tasks             = var.tasks
  service_role_arn  = module.identity.service_role_arn
  vpc_id            = module.scratch.vpc_id
  subnet_ids        = module.scratch.service_subnet_ids
  security_group_id = module.scratch.service_security_group_id
  alarm_email       = var.alarm_email
}

output "config_toml" {
  description = "What config.toml needs: paste it, and go on with checks."
  value       = join("\n", [one(concat(module.lambda[*].config_toml, module.ecs[*].config_toml)), module.production.config_toml, module.scratch.config_toml])
}

output "bucket_policy_statements" {
  description = "What the policies of the buckets need."
  value       = module.production.bucket_policy_statements
}

output "key_policy_statements" {
  description = "What the policies of keys need that backups are encrypted with already."
  value       = module.production.key_policy_statements
}
