variable "name" {
  description = "Begins the name of everything."
  type        = string
  default     = "purchase-model"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 24 small letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
}

variable "size" {
  description = "small for a cheap demonstration, production for real use: more tasks, two database servers, longer logs, protection against deletion."
  type        = string
  default     = "small"
  validation {
    condition     = contains(["small", "production"], var.size)
    error_message = "size: expected small or production."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network."
  type        = string
  default     = "10.42.0.0/16"
  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15)) && can(regex("/(1[6-9]|2[0-2])$", var.vpc_cidr))
    error_message = "vpc_cidr: expected a block from /16 to /22, such as 10.42.0.0/16."
  }
}

variable "desk_clients" {
  description = "Addresses that may open the campaign desk and MLflow: those of the bank's network behind a VPN or Direct Connect."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for block in var.desk_clients : can(cidrhost(block, 0)) && can(regex("/([89]|[12][0-9]|3[0-2])$", block))])
    error_message = "desk_clients: expected blocks of at most 16 million addresses, such as 10.0.0.0/8."
  }
}

variable "image_tag" {
  description = "Tag of the images in ECR. Tags cannot be changed, so a new version has a new one."
  type        = string
  default     = "initial"
}

variable "retrain" {
  description = "When a step of the schedule is due, as EventBridge writes it."
  type        = string
  default     = "cron(0 6 * * ? *)"
  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.retrain))
    error_message = "retrain: expected cron(...) or rate(...), such as cron(0 6 * * ? *)."
  }
}

variable "contract" {
  description = "The contract of the calls: a name that the image has."
  type        = string
  default     = "bank-full"
}

variable "certificate_arn" {
  description = "ACM certificate of the internal load balancer. Needed in production; without it the balancer speaks HTTP."
  type        = string
  default     = null
  validation {
    condition     = var.certificate_arn != null || var.size == "small"
    error_message = "certificate_arn: production needs a certificate."
  }
}

variable "jwt" {
  description = "Issuer and audience of the tokens that the API takes. Without it callers sign requests with IAM."
  type        = object({ issuer = string, audience = list(string) })
  default     = null
}

variable "requests_per_second" {
  description = "Of the API, beyond which it answers 429."
  type        = number
  default     = 50
  validation {
    condition     = var.requests_per_second > 0
    error_message = "requests_per_second: expected a number above 0."
  }
}

variable "front_zip" {
  description = "The Lambda function: zip -j front.zip front/handler.py"
  type        = string
  default     = "front.zip"
}

variable "alert_email" {
  description = "Gets alarms and the budget's warning."
  type        = string
  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.alert_email))
    error_message = "alert_email: expected an address such as operations@bank.example."
  }
}

variable "budget_usd" {
  description = "A month. At 80 % of it, forecast or spent, alert_email gets a mail."
  type        = number
  default     = 300
  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd: expected a number above 0."
  }
}

variable "github_repository" {
  description = "owner/name whose main branch may push images. Without it there is no such role."
  type        = string
  default     = null
}
