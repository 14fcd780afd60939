"""The page that compares classifiers on a person's own picture."""
