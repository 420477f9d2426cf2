variable "name" { type = string }
variable "images" { type = list(string) }
variable "kms_key_arn" { type = string }
variable "github_repository" { type = string }
