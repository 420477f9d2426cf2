variable "name" { type = string }
variable "vpc_id" { type = string }
variable "balancer_arn" { type = string }
variable "port" { type = number }
variable "target" { type = number }
variable "path" { type = string }
variable "certificate_arn" { type = string }
