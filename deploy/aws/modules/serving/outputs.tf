output "balancer_arn" { value = aws_lb.main.arn }
output "balancer_suffix" { value = aws_lb.main.arn_suffix }
output "target_suffix" { value = module.listener.target_suffix }
output "host" { value = aws_lb.main.dns_name }
output "url" { value = "${var.certificate_arn == null ? "http" : "https"}://${aws_lb.main.dns_name}" }
