"""What one page alone needs: a folder for each chapter, named after its notebook."""
