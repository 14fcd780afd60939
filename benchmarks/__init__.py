"""Measurements: each module prints a Markdown table, most of them beside peers in the same run."""
