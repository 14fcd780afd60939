"""Training runs of equal work: ours and what users of transformers, timm and fastai would write."""
