output "url" { value = "${var.certificate_arn == null ? "http" : "https"}://${var.host}:5000" }
