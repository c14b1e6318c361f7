"""Results to tables, figures, and the numbers in the book's prose."""
