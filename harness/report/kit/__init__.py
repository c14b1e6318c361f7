"""What all pages are made of: tables, audio players, clips, how figures look and how numbers are written."""
