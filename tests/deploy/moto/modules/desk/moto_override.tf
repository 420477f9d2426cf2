# What moto accepts and does not give back.
resource "aws_ecs_service" "desk" {
  lifecycle { ignore_changes = [availability_zone_rebalancing] }
}
