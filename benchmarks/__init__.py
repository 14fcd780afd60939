"""Benchmarks: each a script that prints one table."""
