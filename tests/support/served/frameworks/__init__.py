"""Applications made with frameworks."""
