variable "name" { type = string }
variable "service" {
  description = "Who takes the role, such as ecs-tasks.amazonaws.com."
  type        = string
}
variable "policies" {
  description = "What it may do, each as JSON."
  type        = list(string)
  default     = []
}
variable "managed_policies" {
  description = "ARNs of policies of AWS's own."
  type        = list(string)
  default     = []
}
