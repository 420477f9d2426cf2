terraform {
  required_version = ">= 1.10, < 2"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
  # Where the state lies: terraform init -backend-config=state.hcl, see state.hcl.example.
  backend "s3" {}
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { project = var.name, managed-by = "terraform" }
  }
}
