"""What the project needs around its code: set-up, checks, conformance."""
