"""Fine-tune and measure classifiers; scripts to run from the repository's root."""
