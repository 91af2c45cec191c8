"""Hivebatch: dependable batches of prompts on APIs that answer by callback."""
