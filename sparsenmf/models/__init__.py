"""A fit from beginning to end, its result, and the estimators."""
