variable "name" { type = string }
variable "region" { type = string }
variable "kms_key_arn" { type = string }
variable "alert_email" { type = string }
variable "log_days" { type = number }
variable "alarms" { type = any }
