"""PPL: text to syntax tree to plan to SQL expressions."""
