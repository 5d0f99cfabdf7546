"""Targets, converted both ways, and how good a model's answers are: what tables and images share."""
