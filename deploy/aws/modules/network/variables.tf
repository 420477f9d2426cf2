variable "name" { type = string }
variable "region" { type = string }
variable "cidr" { type = string }
variable "zones" { type = number }
variable "log_days" { type = number }
variable "kms_key_arn" { type = string }
variable "desk_clients" { type = list(string) }
variable "balancer" { type = number }
