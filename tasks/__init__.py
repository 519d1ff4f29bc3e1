"""VERBS: the work, as plain functions on records and arrays. Only ``tasks.steps`` knows Prefect."""
