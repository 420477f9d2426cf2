# What moto accepts and does not give back.
resource "aws_vpc_security_group_ingress_rule" "flow" {
  lifecycle { ignore_changes = [description] }
}
resource "aws_vpc_security_group_egress_rule" "flow" {
  lifecycle { ignore_changes = [description] }
}
resource "aws_vpc_security_group_egress_rule" "s3" {
  lifecycle { ignore_changes = [description] }
}
