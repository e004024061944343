"""What is recorded, and how what comes next is told from it. Pure."""
