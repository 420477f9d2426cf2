output "vpc_id" { value = aws_vpc.main.id }
output "subnet_ids" { value = aws_subnet.private[*].id }
output "groups" {
  description = "Ids of the security groups by subject."
  value       = { for key, group in aws_security_group.all : key => group.id }
}
