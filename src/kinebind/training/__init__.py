"""Training: recipes, window stores, and a loop that can be killed and resumed."""
