"""What is measured, one module a run of the service; each gives figures by name."""
