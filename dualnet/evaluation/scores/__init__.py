"""What is scored, and each row's and finding's scores."""
