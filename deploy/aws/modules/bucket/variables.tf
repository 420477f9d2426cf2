variable "name" { type = string }
variable "kms_key_arn" { type = string }
variable "force_destroy" { type = bool }
