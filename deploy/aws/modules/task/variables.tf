variable "name" { type = string }
variable "platform" { type = any }
variable "cpu" { type = number }
variable "memory" { type = number }
variable "containers" {
  description = "As ECS takes them; image is the name of a repository."
  type        = any
}
variable "scratch" {
  description = "Names of volumes that live as long as the task."
  type        = list(string)
  default     = []
}
variable "files" {
  description = "Access point whose folder is mounted as the volume files."
  type        = string
  default     = null
}
variable "reads" {
  description = "ARNs of buckets."
  type        = list(string)
  default     = []
}
variable "writes" {
  description = "ARNs of buckets."
  type        = list(string)
  default     = []
}
variable "uses_database" {
  type    = bool
  default = false
}
