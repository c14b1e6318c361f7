"""What all pages are made of: tables, figures, audio players, clips, how figures look and how numbers are written."""
