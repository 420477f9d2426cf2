output "url" { value = "${var.certificate_arn == null ? "http" : "https"}://${regex("//(.*)", var.server)[0]}:8600" }
