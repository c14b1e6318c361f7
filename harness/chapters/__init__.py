"""Code that only one page needs, in a folder for each chapter, named after its notebook."""
