"""What the desk's pages show: each module turns facts into the parts of one page."""
