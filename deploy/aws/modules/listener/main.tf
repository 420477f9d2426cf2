# A port of the internal load balancer, and the tasks behind it.

resource "aws_lb_target_group" "main" {
  #checkov:skip=CKV_AWS_378:The balancer ends TLS; only its security group reaches the tasks.
  name                 = var.name
  port                 = var.target
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30
  health_check {
    path                = var.path
    matcher             = "200"
    interval            = 15
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "main" {
  #checkov:skip=CKV_AWS_2:HTTPS where there is a certificate, which production needs.
  #checkov:skip=CKV_AWS_103:TLS 1.3 or 1.2 where there is a certificate.
  load_balancer_arn = var.balancer_arn
  port              = var.port
  protocol          = var.certificate_arn == null ? "HTTP" : "HTTPS"
  ssl_policy        = var.certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.main.arn
  }
}
