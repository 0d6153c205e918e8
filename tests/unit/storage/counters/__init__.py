"""What is counted beforehand agrees with the rows."""
