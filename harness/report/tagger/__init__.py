"""Figures and tables of the chapters on data, training and placement."""
