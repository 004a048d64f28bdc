"""What make uses and users do not."""
