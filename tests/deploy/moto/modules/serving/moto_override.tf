# moto 5.2.5 lacks application-autoscaling:ListTagsForResource.
resource "aws_appautoscaling_target" "serving" { count = 0 }
resource "aws_appautoscaling_policy" "cpu" {
  count              = 0
  service_namespace  = "ecs"
  resource_id        = "none"
  scalable_dimension = "ecs:service:DesiredCount"
}
resource "aws_appautoscaling_policy" "requests" {
  count              = 0
  service_namespace  = "ecs"
  resource_id        = "none"
  scalable_dimension = "ecs:service:DesiredCount"
}
# What moto accepts and does not give back.
resource "aws_ecs_service" "serving" {
  lifecycle { ignore_changes = [desired_count, availability_zone_rebalancing, health_check_grace_period_seconds] }
}
