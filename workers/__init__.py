"""Only what Celery needs to run the services."""
