"""Figures of the report: each function takes plain tables and gives a matplotlib figure."""
