"""The schema's history: numbered, additive first, never edited once merged. A revision's id is the stem of its file."""
