variable "name" { type = string }
variable "usd" { type = number }
variable "email" { type = string }
