"""The things that cross stage borders, and their schema."""
