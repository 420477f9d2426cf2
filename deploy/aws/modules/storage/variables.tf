variable "name" { type = string }
variable "account" { type = string }
variable "region" { type = string }
variable "force_destroy" { type = bool }
variable "subnet_ids" { type = list(string) }
variable "security_group" { type = string }
