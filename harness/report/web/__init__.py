"""The site around the pages: Sphinx extensions, previews, the page 404, the numbers that pages quote."""
