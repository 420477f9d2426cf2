variable "name" { type = string }
variable "class" { type = string }
variable "production" { type = bool }
variable "backup_days" { type = number }
variable "subnet_ids" { type = list(string) }
variable "security_group" { type = string }
variable "kms_key_arn" { type = string }
