output "target_arn" {
  value      = aws_lb_target_group.main.arn
  depends_on = [aws_lb_listener.main]
}
output "target_suffix" { value = aws_lb_target_group.main.arn_suffix }
