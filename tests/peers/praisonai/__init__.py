"""PraisonAI's package: what it does with files of ours, what we do with its files, and both at once."""
