"""The obvious design: an ORM row and a Celery task for each job, one commit a change. It is here to be measured."""

API_KEY = "the-one-key"
