variable "platform" { type = any }
variable "groups" { type = map(string) }
variable "vpc_id" { type = string }
variable "balancer_arn" { type = string }
variable "certificate_arn" { type = string }
variable "server" { type = string }
